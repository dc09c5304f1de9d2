//! Text, lists and optional values of a fixed size.

use shmkit::shareable::{Schema, bytes_of, from_bytes};
use shmkit::{ErrorKind, FixedString, FixedVec, Maybe, Shareable};

use crate::encoded;

#[test]
fn text_is_encoded_as_length_utf8_and_zeros() {
    let text: FixedString<8> = "héé".parse().unwrap();
    let bytes = encoded(&text);
    assert_eq!(bytes, [5, 0, 0, 0, 0, 0, 0, 0, b'h', 0xc3, 0xa9, 0xc3, 0xa9, 0, 0, 0]);
    assert_eq!(from_bytes::<FixedString<8>>(&bytes), Some(text));
    assert_eq!(Schema::of::<FixedString<5>>().to_string(), "text<5>");
    const { assert!(!FixedString::<8>::PADDED && FixedString::<9>::PADDED) }
}

#[test]
fn text_is_checked_for_length_utf8_and_zeros() {
    let good = encoded(&FixedString::<9>::try_from("héé").unwrap());
    assert!(FixedString::<9>::valid(&good));
    for (at, byte) in [(0, 10), (0, 4), (0, 3), (7, 255), (8, 255), (13, 1), (16, 1)] {
        let mut bad = good.clone();
        bad[at] = byte;
        assert!(!FixedString::<9>::valid(&bad), "byte {at} = {byte}");
    }
    let mut padding = good.clone();
    padding[17] = 1;
    assert!(FixedString::<9>::valid(&padding), "padding is ignored");
    assert!(!FixedString::<9>::valid(&good[..17]));
}

#[test]
fn text_grows_to_its_capacity_and_leaves_zeros_when_it_shrinks() {
    let mut text = FixedString::<6>::new();
    text.push_str("héé").unwrap();
    assert_eq!(text.push('é').unwrap_err().kind(), ErrorKind::InvalidArgument);
    text.push('x').unwrap();
    assert_eq!((text.as_str(), text.len(), text.capacity()), ("hééx", 6, 6));
    assert_eq!((text.pop(), text.pop()), (Some('x'), Some('é')));
    assert_eq!(encoded(&text)[8..], [b'h', 0xc3, 0xa9, 0, 0, 0, 0, 0]);
    text.truncate(1);
    assert_eq!(format!("{text} {text:?}"), r#"h "h""#);
    text.clear();
    assert_eq!((text, text.pop()), (FixedString::default(), None));
    let error = FixedString::<2>::try_from("abc").unwrap_err();
    assert_eq!(error.to_string(), "3 bytes of text do not fit in 2");
}

#[derive(Shareable, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Item {
    on: bool,
    value: u16,
}

#[test]
fn a_list_is_encoded_as_length_items_and_zeros() {
    let mut list = FixedVec::<Item, 3>::new();
    list.push(Item { on: true, value: 7 }).unwrap();
    let bytes = encoded(&list);
    assert_eq!(bytes, [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(from_bytes::<FixedVec<Item, 3>>(&bytes), Some(list));
    let text = "list<Item(4,2){on@0:bool,value@2:u16},3>";
    assert_eq!(Schema::of::<FixedVec<Item, 3>>().to_string(), text);
    const {
        assert!(FixedVec::<Item, 4>::PADDED && !FixedVec::<f64, 3>::PADDED);
        assert!(FixedVec::<u32, 3>::PADDED && !FixedVec::<u32, 4>::PADDED);
    }
}

#[test]
fn a_list_is_checked_for_length_items_and_zeros() {
    let list = FixedVec::<Item, 3>::try_from(&[Item { on: true, value: 7 }; 2][..]).unwrap();
    let good = encoded(&list);
    assert!(FixedVec::<Item, 3>::valid(&good));
    for (at, byte) in [(0, 4), (0, 1), (3, 1), (7, 255), (12, 2), (16, 1), (19, 1)] {
        let mut bad = good.clone();
        bad[at] = byte;
        assert!(!FixedVec::<Item, 3>::valid(&bad), "byte {at} = {byte}");
    }
    let mut padding = good.clone();
    (padding[9], padding[20]) = (1, 1);
    assert!(FixedVec::<Item, 3>::valid(&padding), "padding is ignored");
    let aligned = encoded(&FixedVec::<u128, 1>::try_from(&[1][..]).unwrap());
    assert_eq!((aligned[0], aligned[8], aligned[16], aligned.len()), (1, 0, 1, 32));
}

#[test]
fn a_list_grows_to_its_capacity_and_leaves_zeros_when_it_shrinks() {
    let mut list = FixedVec::<u64, 3>::new();
    list.extend_from_slice(&[1, 2]).unwrap();
    assert_eq!(list.extend_from_slice(&[3, 4]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!((list.push(3), list.push(4)), (Ok(()), Err(4)));
    list[0] = 9;
    assert_eq!(list.iter().sum::<u64>(), 14);
    assert_eq!((list.pop(), list.len(), list.capacity()), (Some(3), 2, 3));
    assert_eq!(encoded(&list)[24..], [0; 8]);
    list.truncate(1);
    assert_eq!((format!("{list:?}"), list), ("[9]".into(), FixedVec::try_from(&[9][..]).unwrap()));
    assert_eq!(encoded(&list)[16..], [0; 16]);
    list.clear();
    assert_eq!((list.pop(), list), (None, FixedVec::default()));
}

#[test]
fn the_items_of_a_list_need_not_be_copy() {
    #[derive(Shareable, Debug, PartialEq)]
    #[repr(transparent)]
    struct Once(u8);
    let mut list = FixedVec::<Once, 8>::new();
    list.push(Once(5)).unwrap();
    assert_eq!(bytes_of(&list).unwrap()[..9], [1, 0, 0, 0, 0, 0, 0, 0, 5]);
    assert_eq!(list.pop(), Some(Once(5)));
}

#[test]
fn a_maybe_is_encoded_as_a_byte_and_the_item_or_zeros() {
    let some = Maybe::from(Some(7u16));
    let bytes = encoded(&some);
    assert_eq!(bytes, [1, 0, 7, 0]);
    assert_eq!(from_bytes::<Maybe<u16>>(&bytes), Some(some));
    assert_eq!(encoded(&Maybe::<u16>::default()), [0; 4]);
    assert_eq!(from_bytes(&[0; 4]), Some(Maybe::<u16>::None));
    assert!(!Maybe::<u16>::valid(&[2, 0, 0, 0]) && !Maybe::<u16>::valid(&[0, 0, 1, 0]));
    assert!(Maybe::<u16>::valid(&[0, 1, 0, 0]), "padding is ignored");
    assert!(Maybe::<bool>::valid(&[1, 1]) && !Maybe::<bool>::valid(&[1, 2]));
    assert!(!Maybe::<bool>::valid(&[1]));
    assert_eq!(from_bytes(&encoded(&Maybe::Some(1u128 << 100))), Some(Maybe::Some(1u128 << 100)));
    assert_eq!(Schema::of::<Maybe<Item>>().to_string(), "maybe<Item(4,2){on@0:bool,value@2:u16}>");
    assert_eq!((Option::from(some), some.as_ref()), (Some(7), Some(&7)));
}

#[test]
fn the_schema_text_of_a_type_parses_to_its_schema() {
    fn check<T: Shareable>() {
        let schema = Schema::of::<T>();
        let text = schema.to_string();
        assert_eq!(Schema::parse(&text).unwrap(), schema, "{text}");
        assert_eq!(schema.fingerprint(), T::LAYOUT.fingerprint(), "{text}");
        assert_eq!(
            (schema.size(), schema.align()),
            (size_of::<T>() as u64, align_of::<T>() as u64)
        );
    }
    check::<[FixedString<13>; 2]>();
    check::<FixedVec<[Maybe<Item>; 3], 5>>();
    check::<FixedVec<u128, 5>>();
    check::<FixedVec<i8, 1>>();
    check::<Maybe<FixedVec<f32, 3>>>();
    check::<Maybe<Maybe<char>>>();
    check::<Maybe<i128>>();
}
