//! The derive for structs and enums.

use shmkit::Shareable;
use shmkit::shareable::{Schema, bytes_of, from_bytes};

use crate::encoded;

#[derive(Shareable, Debug, PartialEq)]
#[repr(C)]
struct Pose {
    stamp_ns: u64,
    mode: Mode,
    position: [f64; 2],
    valid: bool,
}

#[derive(Shareable, Debug, Clone, Copy, PartialEq)]
#[repr(i16)]
enum Mode {
    Fast = 500,
    Slow = -3,
    r#Loop,
}

#[test]
fn a_struct_of_ordinary_fields_needs_one_derive() {
    const {
        assert!(Pose::PADDED && !Pose::ALWAYS_VALID);
        assert!(Pose::LAYOUT.fingerprint() != Mode::LAYOUT.fingerprint());
    }
    let text = "Pose(40,8){stamp_ns@0:u64,mode@8:Mode(i16){Slow=-3,Loop=-2,Fast=500},\
                position@16:[f64;2],valid@32:bool}";
    assert_eq!(Schema::of::<Pose>().to_string(), text);
    assert_eq!(Schema::of::<Pose>().fingerprint(), Pose::LAYOUT.fingerprint());
}

#[test]
fn padding_is_encoded_as_zeros_and_the_value_is_decoded() {
    let pose = Pose { stamp_ns: 1, mode: Mode::Slow, position: [1.0, -2.0], valid: true };
    let bytes = encoded(&pose);
    assert_eq!(bytes[8..16], [0xfd, 0xff, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes[32..], [1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(from_bytes::<Pose>(&bytes), Some(pose));
    assert!(
        bytes_of(&Pose { stamp_ns: 1, mode: Mode::Loop, position: [0.0; 2], valid: true })
            .is_none()
    );
}

#[test]
fn invalid_bytes_are_refused() {
    let pose = Pose { stamp_ns: 1, mode: Mode::Fast, position: [0.0; 2], valid: false };
    let good = encoded(&pose);
    assert!(Pose::valid(&good));
    for (at, byte) in [(8, 1), (9, 2), (32, 2), (32, 255)] {
        let mut bad = good.clone();
        bad[at] = byte;
        assert!(!Pose::valid(&bad), "byte {at} = {byte}");
    }
    assert!(!Pose::valid(&good[..39]));
    assert!(!Pose::valid(&[]));
}

#[derive(Shareable, Debug, PartialEq, Clone, Copy)]
#[repr(C)]
struct Pair<A, B>(A, B);

#[derive(Shareable)]
#[repr(transparent)]
struct Meters(f64);

#[derive(Shareable)]
#[repr(C, align(64))]
struct Line<T: PartialEq, const N: usize>
where
    T: Copy,
{
    words: [T; N],
}

#[test]
fn generic_tuple_and_transparent_structs_are_shareable() {
    const {
        assert!(!Pair::<u32, u32>::PADDED && Pair::<u32, u32>::ALWAYS_VALID);
        assert!(Pair::<u8, u32>::PADDED && !Pair::<bool, u8>::ALWAYS_VALID);
        assert!(Meters::ALWAYS_VALID && !Meters::PADDED);
        assert!(Line::<u64, 7>::PADDED && !Line::<u64, 8>::PADDED);
    }
    assert_eq!(Schema::of::<Meters>().to_string(), "Meters(8,8){0@0:f64}");
    let nested = "Pair(12,4){0@0:u8,1@4:Pair(8,4){0@0:u16,1@4:f32}}";
    assert_eq!(Schema::of::<Pair<u8, Pair<u16, f32>>>().to_string(), nested);
    assert_eq!(Schema::of::<Line<u64, 7>>().to_string(), "Line(64,64){words@0:[u64;7]}");
    assert_eq!(encoded(&[Pair(1u8, 2u16); 2]), [1, 0, 2, 0, 1, 0, 2, 0]);
}

#[derive(Shareable)]
#[repr(u32)]
#[expect(non_camel_case_types, reason = "the names that the derive uses")]
enum Named<const N: usize> {
    bytes = 7,
    value = u32::MAX,
}

#[test]
fn an_enum_can_have_any_variant_names_and_a_const_parameter() {
    assert!(Named::<1>::valid(&[7, 0, 0, 0]) && Named::<1>::valid(&[255; 4]));
    assert!(!Named::<1>::valid(&[0; 4]) && !Named::<1>::valid(&[7]));
    let text = "Named(u32){bytes=7,value=4294967295}";
    assert_eq!(Schema::of::<Named<1>>().to_string(), text);
}

#[test]
fn the_fingerprint_depends_on_the_layout_and_not_on_type_names() {
    mod other {
        #[derive(shmkit::Shareable)]
        #[repr(i16)]
        pub(super) enum Gear {
            Loop = -2,
            Slow = -3,
            Fast = 500,
        }
        #[derive(shmkit::Shareable)]
        #[repr(C)]
        pub(super) struct Position {
            stamp_ns: u64,
            mode: Gear,
            position: [f64; 2],
            valid: bool,
        }
    }
    assert_eq!(Pose::LAYOUT.fingerprint(), other::Position::LAYOUT.fingerprint());
    assert_ne!(<[u8; 3]>::LAYOUT.fingerprint(), <[u8; 4]>::LAYOUT.fingerprint());
    assert_ne!(u128::LAYOUT.fingerprint(), i128::LAYOUT.fingerprint());
}

#[test]
fn every_primitive_checks_its_bytes() {
    assert!(bool::valid(&[0]) && bool::valid(&[1]) && !bool::valid(&[2]) && !bool::valid(&[]));
    assert!(char::valid(&0x10_ffff_u32.to_le_bytes()));
    assert!(!char::valid(&0xd800_u32.to_le_bytes()) && !char::valid(&[255; 4]));
    assert!(u128::valid(&[255; 16]) && !u128::valid(&[255; 15]));
    assert!(<[bool; 2]>::valid(&[0, 1]) && !<[bool; 2]>::valid(&[1, 2]));
    assert_eq!(from_bytes::<f32>(&1.5f32.to_le_bytes()), Some(1.5));
}
