/// Plots by hand: one SVG document of up to three panels.
enum Plot {
    static func document(_ report: Report) -> String { "<svg/>\n" }
}
