// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Curves, as SVG.

use std::path::Path;

use plotters::coord::combinators::IntoLogRange;
use plotters::prelude::*;

use crate::error::Error;

const SIZE: (u32, u32) = (640, 360);
const COLOURS: [RGBColor; 3] =
    [RGBColor(0xc0, 0x39, 0x2b), RGBColor(0x1f, 0x77, 0xb4), RGBColor(0x7f, 0x8c, 0x8d)];

/// A curve: its name, and its points.
pub type Curve = (&'static str, Vec<(f64, f64)>);

/// What the picture shows.
#[derive(Debug, Clone, Copy)]
pub struct Axes {
    /// Above it.
    pub title: &'static str,
    /// What the points have in common, below it.
    pub x: &'static str,
    /// What was measured, to its left.
    pub y: &'static str,
}

/// Draws curves with logarithmic axes.
///
/// # Errors
/// [`Error::Program`] when the picture cannot be drawn or written.
pub fn draw(path: &Path, axes: Axes, curves: &[Curve]) -> Result<(), Error> {
    let wrong = |message: String| Error::Program { program: path.display().to_string(), message };
    try_draw(path, axes, curves).map_err(|error| wrong(error.to_string()))
}

fn try_draw(path: &Path, axes: Axes, curves: &[Curve]) -> Result<(), Box<dyn std::error::Error>> {
    let is_drawn = |(x, y): &(f64, f64)| x.is_normal() && y.is_normal() && *x > 0.0 && *y > 0.0;
    if curves.is_empty()
        || !curves.iter().all(|(_, points)| !points.is_empty() && points.iter().all(is_drawn))
    {
        return Err("expected numbers above 0, found others or none".into());
    }
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let points = || curves.iter().flat_map(|(_, points)| points);
    let range = |of: fn(&(f64, f64)) -> f64| {
        let least = points().map(of).fold(f64::INFINITY, f64::min);
        let most = points().map(of).fold(0.0, f64::max);
        least * 0.8..most * 1.25
    };
    let mut chart = ChartBuilder::on(&area)
        .caption(axes.title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(
            range(|point| point.0).log_scale(),
            range(|point| point.1).log_scale(),
        )?;
    let number = |number: &f64| match *number {
        large if large >= 1e6 => format!("{} M", large / 1e6),
        large if large >= 1e3 => format!("{} k", large / 1e3),
        small => small.to_string(),
    };
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc(axes.x)
        .y_desc(axes.y)
        .x_label_formatter(&number)
        .y_label_formatter(&number)
        .draw()?;
    for ((name, points), colour) in curves.iter().zip(COLOURS) {
        let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3);
        chart
            .draw_series(line)?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_its_curves() {
        let directory = tempfile::tempdir().expect("a folder");
        let path = directory.path().join("plot.svg");
        let axes = Axes { title: "Cost", x: "number", y: "time" };
        draw(&path, axes, &[("ours", vec![(1.0, 2.0), (100.0, 3.0)])]).expect("drawn");
        let text = std::fs::read_to_string(&path).expect("there");
        assert!(text.contains("<polyline") && text.contains("Cost") && text.contains("ours"));
        for points in [vec![], vec![(1.0, 0.0)], vec![(1.0, f64::NAN)]] {
            assert!(draw(&path, axes, &[("ours", points)]).is_err());
        }
        assert!(draw(Path::new("/nowhere/plot.svg"), axes, &[]).is_err());
    }
}
