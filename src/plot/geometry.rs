//! Plane geometry: convex hulls and half-planes.

use glam::DVec2;

/// The corners of the convex hull, anticlockwise, without repeats or points on an edge (Andrew's monotone chain). One
/// point or two for clouds without area.
pub(super) fn hull(mut points: Vec<DVec2>) -> Vec<DVec2> {
    points.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    points.dedup();
    if points.len() < 3 {
        return points;
    }
    let chain = |points: &mut dyn Iterator<Item = DVec2>| {
        let mut chain: Vec<DVec2> = Vec::new();
        for p in points {
            while let [.., a, b] = chain[..]
                && (b - a).perp_dot(p - a) <= 0.0
            {
                chain.pop();
            }
            chain.push(p);
        }
        chain.pop();
        chain
    };
    let mut corners = chain(&mut points.iter().copied());
    corners.extend(chain(&mut points.iter().rev().copied()));
    corners
}

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

    /// If this failed, the drawn hull would cut off tokens or show corners that are none.
    #[test]
    fn hulls_of_plain_and_degenerate_clouds() {
        let square = [v(0., 0.), v(1., 0.), v(1., 1.), v(0., 1.)];
        let mut cloud = square.to_vec();
        cloud.extend([v(0.5, 0.5), v(0.5, 0.0), v(1., 1.)]);
        assert_eq!(hull(cloud), square);
        assert_eq!(hull(vec![v(0., 0.), v(2., 2.), v(1., 1.)]), [v(0., 0.), v(2., 2.)]);
        assert_eq!(hull(vec![v(3., 1.); 4]), [v(3., 1.)]);
        assert!(hull(Vec::new()).is_empty());
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
