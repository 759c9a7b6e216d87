//! The hull in space: quickhull (Barber, Dobkin and Huhdanpaa, 1996) with exact orientations.
//!
//! A point is outside a facet only if it is strictly above its plane, so the facets seen from a
//! point make a disc even where points are coplanar, and no facet is ever degenerate. A face with
//! more than three corners ends up in several triangles, and a point inside a face or an edge may
//! be a corner of some: what tells a vertex of the hull from those is that at least three of the
//! edges at it are creases, edges between triangles that are not coplanar.

use std::collections::HashMap;

use robust::{Coord3D, orient3d};

use super::planar;
use super::scaled::lexicographic;

type Point = [f64; 3];
const NONE: u32 = u32::MAX;

/// The hull of distinct points in space.
pub(super) struct Solid {
    /// Vertices, as indices of the points given.
    pub(super) vertices: Vec<u32>,
    /// Triangles, counterclockwise from outside; none where the points lie in a plane.
    pub(super) facets: Vec<[u32; 3]>,
    /// The vertices in their order around, where the points lie in a plane.
    pub(super) ring: Vec<u32>,
}

struct Facet {
    corners: [u32; 3],
    /// The facet across the edge from corner e to corner e + 1.
    neighbours: [u32; 3],
    outside: Vec<u32>,
    alive: bool,
    seen: u32,
}

/// Above 0 for p above the plane of a, b, c seen counterclockwise; 0 exactly in it.
fn height(a: Point, b: Point, c: Point, p: Point) -> f64 {
    let at = |p: Point| Coord3D { x: p[0], y: p[1], z: p[2] };
    -orient3d(at(a), at(b), at(c), at(p))
}

/// The projection of a point that drops one coordinate.
fn shadow(p: Point, dropped: usize) -> [f64; 2] {
    [p[(dropped + 1) % 3], p[(dropped + 2) % 3]]
}

impl Solid {
    /// Computes the hull of distinct points, in any number and position.
    pub(super) fn of(points: &[Point]) -> Self {
        let flat = |ring: Vec<u32>| {
            let mut vertices = ring.clone();
            vertices.sort_unstable();
            Self { vertices, facets: Vec::new(), ring }
        };
        let by_order = |&i: &u32, &j: &u32| lexicographic(&points[i as usize], &points[j as usize]);
        let all = || 0..points.len() as u32;
        let (Some(low), Some(high)) = (all().min_by(by_order), all().max_by(by_order)) else { return flat(Vec::new()) };
        if low == high {
            return flat(vec![low]);
        }
        let (a, b) = (points[low as usize], points[high as usize]);
        // Exactly 0 in all three shadows for a point on the line.
        let off_line =
            |p: Point, dropped| planar::turn(shadow(a, dropped), shadow(b, dropped), shadow(p, dropped)).abs();
        let Some((third, dropped)) = farthest(all().flat_map(|i| (0..3).map(move |axis| (i, axis))), |&(i, axis)| {
            off_line(points[i as usize], axis)
        }) else {
            return flat(vec![low, high]);
        };
        let c = points[third as usize];
        let Some(fourth) = farthest(all(), |&i| height(a, b, c, points[i as usize]).abs()) else {
            let shadows = all().map(|i| (shadow(points[i as usize], dropped), i)).collect();
            return flat(planar::vertices(shadows));
        };
        let mut building = Building { points, facets: Vec::new(), round: 0 };
        building.start([low, high, third, fourth]);
        building.grow();
        building.finish()
    }
}

/// The item with the largest value above 0.
fn farthest<T>(items: impl Iterator<Item = T>, value: impl Fn(&T) -> f64) -> Option<T> {
    let mut best = (0.0, None);
    for item in items {
        let value = value(&item);
        if value > best.0 {
            best = (value, Some(item));
        }
    }
    best.1
}

struct Building<'a> {
    points: &'a [Point],
    facets: Vec<Facet>,
    round: u32,
}

impl Building<'_> {
    fn point(&self, i: u32) -> Point {
        self.points[i as usize]
    }

    fn height(&self, facet: u32, i: u32) -> f64 {
        let [a, b, c] = self.facets[facet as usize].corners;
        height(self.point(a), self.point(b), self.point(c), self.point(i))
    }

    fn add(&mut self, corners: [u32; 3]) -> u32 {
        self.facets.push(Facet { corners, neighbours: [NONE; 3], outside: Vec::new(), alive: true, seen: 0 });
        self.facets.len() as u32 - 1
    }

    /// Builds the first tetrahedron.
    fn start(&mut self, [a, b, c, d]: [u32; 4]) {
        let is_above = height(self.point(a), self.point(b), self.point(c), self.point(d)) > 0.0;
        let (b, c) = if is_above { (c, b) } else { (b, c) };
        // Now d is below a, b, c.
        for corners in [[a, b, c], [a, d, b], [b, d, c], [c, d, a]] {
            self.add(corners);
        }
        for f in 0..4u32 {
            for e in 0..3 {
                let corners = self.facets[f as usize].corners;
                let (from, to) = (corners[e], corners[(e + 1) % 3]);
                let across = (0..4u32).find(|&g| self.edge(g, to, from).is_some()).unwrap_or(NONE);
                self.facets[f as usize].neighbours[e] = across;
            }
        }
        let rest = (0..self.points.len() as u32).filter(|i| ![a, b, c, d].contains(i)).collect();
        self.share(rest, &[0, 1, 2, 3]);
    }

    /// The edge of a facet that runs from one corner to another.
    fn edge(&self, facet: u32, from: u32, to: u32) -> Option<usize> {
        let corners = self.facets[facet as usize].corners;
        (0..3).find(|&e| corners[e] == from && corners[(e + 1) % 3] == to)
    }

    /// Gives every point to a facet that it is outside of; the other points are inside the hull.
    fn share(&mut self, points: Vec<u32>, facets: &[u32]) {
        for i in points {
            if let Some(&f) = facets.iter().find(|&&f| self.height(f, i) > 0.0) {
                self.facets[f as usize].outside.push(i);
            }
        }
    }

    fn grow(&mut self) {
        let mut waiting: Vec<u32> = (0..4).collect();
        while let Some(facet) = waiting.pop() {
            if !self.facets[facet as usize].alive {
                continue;
            }
            let outside = std::mem::take(&mut self.facets[facet as usize].outside);
            let Some(apex) = farthest(outside.iter().copied(), |&i| self.height(facet, i)) else { continue };
            self.facets[facet as usize].outside = outside;
            waiting.extend(self.cone(facet, apex));
        }
    }

    /// Replaces the facets that `apex` is outside of, such as `facet`, by a cone over their rim.
    fn cone(&mut self, facet: u32, apex: u32) -> Vec<u32> {
        self.round += 1;
        let (mut seen, mut rim) = (vec![facet], Vec::new());
        self.facets[facet as usize].seen = self.round;
        let mut at = 0;
        while at < seen.len() {
            let f = seen[at];
            at += 1;
            for e in 0..3 {
                let g = self.facets[f as usize].neighbours[e];
                if self.facets[g as usize].seen == self.round {
                    continue;
                }
                if self.height(g, apex) > 0.0 {
                    self.facets[g as usize].seen = self.round;
                    seen.push(g);
                } else {
                    let corners = self.facets[f as usize].corners;
                    rim.push((corners[e], corners[(e + 1) % 3], g));
                }
            }
        }
        let mut by_start = HashMap::with_capacity(rim.len());
        let mut fresh = Vec::with_capacity(rim.len());
        for &(from, to, beyond) in &rim {
            let f = self.add([from, to, apex]);
            self.facets[f as usize].neighbours[0] = beyond;
            if let Some(e) = self.edge(beyond, to, from) {
                self.facets[beyond as usize].neighbours[e] = f;
            }
            by_start.insert(from, f);
            fresh.push(f);
        }
        for &f in &fresh {
            let next = by_start[&self.facets[f as usize].corners[1]];
            self.facets[f as usize].neighbours[1] = next;
            self.facets[next as usize].neighbours[2] = f;
        }
        let mut orphans = Vec::new();
        for f in seen {
            let dead = &mut self.facets[f as usize];
            dead.alive = false;
            orphans.append(&mut dead.outside);
        }
        orphans.retain(|&i| i != apex);
        self.share(orphans, &fresh);
        fresh
    }

    fn finish(self) -> Solid {
        let mut creases = vec![0u32; self.points.len()];
        let mut facets = Vec::new();
        for (f, facet) in self.facets.iter().enumerate().filter(|(_, facet)| facet.alive) {
            facets.push(facet.corners);
            for e in 0..3 {
                let (from, to) = (facet.corners[e], facet.corners[(e + 1) % 3]);
                let across = facet.neighbours[e];
                if (f as u32) < across {
                    let beyond = self.facets[across as usize].corners.into_iter().find(|&c| c != from && c != to);
                    if beyond.is_some_and(|c| self.height(f as u32, c) != 0.0) {
                        creases[from as usize] += 1;
                        creases[to as usize] += 1;
                    }
                }
            }
        }
        let vertices = (0..self.points.len() as u32).filter(|&i| creases[i as usize] >= 3).collect();
        Solid { vertices, facets, ring: Vec::new() }
    }
}
