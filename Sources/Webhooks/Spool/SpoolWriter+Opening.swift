internal import BrokerCore
internal import Reactor

extension SpoolWriter {
    /// Reads what a disk has, and is ready to go on with it.
    static func open(_ disk: any SpoolDisk, _ options: SpoolOptions) throws(IOError) -> (SpoolWriter, SpoolContents) {
        var load = try SpoolLoad(disk, bytesMax: options.bytesMax)
        var ledger = SpoolLedger(nextNumber: load.harvest.nextNumber, cursors: load.harvest.cursors)
        var contents = SpoolContents()
        for one in load.takeWaiting() {
            contents.waiting.append(one.entry)
            guard let ticket = ledger.append(one.entry) else { continue }
            ledger.place(ticket, SpoolPlace(segment: one.segment, bytes: one.bytes))
        }
        for one in load.takeLetters() {
            let key = ledger.bury(one.letter).0
            ledger.place(key, SpoolPlace(segment: one.segment, bytes: one.bytes))
        }
        let writer = SpoolWriter(
            disk, options, ledger: ledger, segments: load.segments, nextSegment: load.nextSegment)
        writer.facts.eventsDropped += UInt64(load.harvest.eventsDropped)
        writer.boundLetters()
        contents.deadLetters = writer.ledger.letters.all
        (contents.nextNumber, contents.notes) = (load.harvest.nextNumber, load.notes.sentences)
        return (writer, contents)
    }
}
