/// Rows under titles, each column as wide as its widest cell; for people.
struct TextTable {
    struct Column {
        var title: String
        /// Numbers stand at the right.
        var isNumber = false

        init(_ title: String, isNumber: Bool = false) { (self.title, self.isNumber) = (title, isNumber) }
    }

    enum Tone { case plain, good, bad }

    struct Cell {
        var text: String
        var tone = Tone.plain

        init(_ text: String, _ tone: Tone = .plain) { (self.text, self.tone) = (text.printable, tone) }
    }

    private let columns: [Column]
    private var rows: [[Cell]] = []

    init(_ columns: [Column]) { self.columns = columns }

    /// - Parameter cells: as many as there are columns.
    mutating func add(_ cells: [Cell]) {
        precondition(cells.count == columns.count, "a row has a cell for each column")
        rows.append(cells)
    }

    var isEmpty: Bool { rows.isEmpty }

    /// Lines that each end in a line feed.
    func text(isColored: Bool) -> String {
        let widths = columns.indices.map { column in
            rows.reduce(columns[column].title.count) { max($0, $1[column].text.count) }
        }
        func line(_ cells: [(text: String, style: String)]) -> String {
            var line = ""
            for (column, cell) in cells.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.text.count)
                let isLast = column == cells.count - 1
                let shown = isColored && !cell.style.isEmpty ? "\u{1B}[\(cell.style)m\(cell.text)\u{1B}[0m" : cell.text
                if column > 0 { line += "  " }
                line += columns[column].isNumber ? padding + shown : isLast ? shown : shown + padding
            }
            return line + "\n"
        }
        return line(columns.map { ($0.title, "1") })
            + rows.map { line($0.map { ($0.text, $0.tone.style) }) }.joined()
    }
}

extension TextTable.Tone {
    /// Of a terminal (ECMA-48, SGR); empty: as it is.
    var style: String {
        switch self {
        case .plain: ""
        case .good: "32"
        case .bad: "31"
        }
    }
}
