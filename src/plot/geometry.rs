//! Plane geometry: polygons cut by half-planes.

use glam::DVec2;

/// The part of a convex polygon in `{ y : <normal, y> >= level }` (Sutherland–Hodgman).
pub(super) fn clip(polygon: &[DVec2], normal: DVec2, level: f64) -> Vec<DVec2> {
    let mut kept = Vec::with_capacity(polygon.len() + 1);
    for (at, &p) in polygon.iter().enumerate() {
        let q = polygon[(at + 1) % polygon.len()];
        let (above_p, above_q) = (normal.dot(p) - level, normal.dot(q) - level);
        if above_p >= 0.0 {
            kept.push(p);
        }
        if (above_p >= 0.0) != (above_q >= 0.0) {
            kept.push(p + (q - p) * (above_p / (above_p - above_q)));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(x: f64, y: f64) -> DVec2 {
        DVec2::new(x, y)
    }

    /// If this failed, the shaded strip would not be the half-plane of the mask.
    #[test]
    fn clipping_keeps_the_half_plane() {
        let square = [v(0., 0.), v(2., 0.), v(2., 2.), v(0., 2.)];
        assert_eq!(clip(&square, v(1., 0.), 1.5), [v(1.5, 0.), v(2., 0.), v(2., 2.), v(1.5, 2.)]);
        assert_eq!(clip(&square, v(1., 0.), -1.0), square);
        assert!(clip(&square, v(1., 0.), 3.0).is_empty());
    }
}
