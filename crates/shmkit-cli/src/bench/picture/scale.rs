//! Logarithmic axes, their ticks, and labels that do not overlap.

/// Values from `low` to `high` on a length of pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    /// The pixels of `low` and of `high`.
    pub(super) from: f64,
    pub(super) to: f64,
}

impl Scale {
    /// Returns a scale whose ends are powers of ten around the values.
    pub(super) fn of_decades(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let ends = values.fold((f64::MAX, f64::MIN), |(low, high), it| (low.min(it), high.max(it)));
        let (low, high) = if ends.0 > ends.1 { (1.0, 10.0) } else { ends };
        let (low, high) = (low.log10().floor(), high.log10().ceil());
        let high = if high > low { high } else { low + 1.0 };
        Self { low: 10_f64.powf(low), high: 10_f64.powf(high), from, to }
    }

    /// Returns the pixel of a value.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        self.from + share * (self.to - self.from)
    }

    /// Returns the powers of ten.
    pub(super) fn decades(&self) -> impl Iterator<Item = f64> {
        let exponents = self.low.log10().round() as i32..=self.high.log10().round() as i32;
        exponents.map(|exponent| 10_f64.powi(exponent))
    }
}

/// Returns places near the wanted ones, in the same order, that are at least `apart` from each
/// other, and not beyond `low` and `high` if there is room.
pub(super) fn spread(wanted: &[f64], apart: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<_> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut places = wanted.to_vec();
    let mut least = low;
    for at in &order {
        places[*at] = places[*at].max(least);
        least = places[*at] + apart;
    }
    let mut most = high;
    for at in order.iter().rev() {
        places[*at] = places[*at].min(most);
        most = places[*at] - apart;
    }
    places
}

/// Returns a power of ten as a time.
pub(super) fn nanoseconds(ns: f64) -> String {
    unit(ns, &["ns", "us", "ms", "s"])
}

/// Returns a power of ten as a rate of bytes.
pub(super) fn bytes_per_second(rate: f64) -> String {
    unit(rate, &["B/s", "kB/s", "MB/s", "GB/s", "TB/s"])
}

fn unit(value: f64, units: &[&str]) -> String {
    let thousands = ((value.log10() / 3.0 + 1e-9).floor().max(0.0) as usize).min(units.len() - 1);
    format!("{} {}", value / 1000_f64.powi(thousands as i32), units[thousands])
}

/// Returns a size in a short form.
pub(super) fn size(bytes: f64) -> String {
    match bytes {
        1_048_576.0.. => format!("{}M", bytes / 1_048_576.0),
        1024.0.. => format!("{}K", bytes / 1024.0),
        _ => format!("{bytes}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_whole_decades() {
        let scale = Scale::of_decades([70.0, 4_300.0].into_iter(), 0.0, 300.0);
        let decades: Vec<_> = scale.decades().collect();
        assert_eq!(decades.iter().map(|it| it.round()).collect::<Vec<_>>(), [10., 100., 1e3, 1e4]);
        let pixels: Vec<_> = decades.iter().map(|it| scale.at(*it).round()).collect();
        assert_eq!(pixels, [0.0, 100.0, 200.0, 300.0]);
        assert!(Scale::of_decades([100.0].into_iter(), 0.0, 1.0).at(100.0).is_finite());
        assert!(Scale::of_decades([].into_iter(), 0.0, 1.0).decades().count() > 1);
    }

    #[test]
    fn ticks_have_units() {
        assert_eq!(
            [1.0, 100.0, 1e3, 1e5, 1e9].map(nanoseconds),
            ["1 ns", "100 ns", "1 us", "100 us", "1 s"]
        );
        assert_eq!([1e6, 1e10].map(bytes_per_second), ["1 MB/s", "10 GB/s"]);
        assert_eq!([8.0, 65_536.0, 1_048_576.0].map(size), ["8", "64K", "1M"]);
    }

    #[test]
    fn labels_do_not_overlap_and_keep_their_order() {
        let places = spread(&[50.0, 10.0, 12.0, 99.0, 98.0], 10.0, 0.0, 100.0);
        assert_eq!(places, [50.0, 10.0, 20.0, 100.0, 90.0]);
    }
}
