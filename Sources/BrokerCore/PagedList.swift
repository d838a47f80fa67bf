/// What can stand at a number that nobody has.
protocol Vacant: ~Copyable {
    init()
    /// The one that a read of a number without a page sees. Never written.
    static var vacant: UnsafeMutablePointer<Self> { get }
}

extension Vacant where Self: ~Copyable {
    /// Makes `vacant`, once for each type.
    static func makeVacant() -> UnsafeMutablePointer<Self> {
        let made = UnsafeMutablePointer<Self>.allocate(capacity: 1)
        made.initialize(to: Self())
        return made
    }
}

extension [UInt8]: Vacant {
    static var vacant: UnsafeMutablePointer<Self> { vacantName }
}

// SAFETY: written when it is made, and only read afterwards.
nonisolated(unsafe) private let vacantName = [UInt8].makeVacant()

/// Elements by number, in pages of 64 that come with their first number and go when the last one is free: a late number
/// that stays pins its page and not the table.
///
/// Reading a number without a page gives a vacant element, so that a number which outlived its page does no harm. It owns its
/// memory and cannot be copied, so that no access to it counts references. Owned by one thread, or reached under its owner's lock.
struct PagedList<Element: Vacant & ~Copyable>: ~Copyable {
    static var pageSize: Int { 64 }
    private static var shift: Int { 6 }
    /// The first page grows to its size, so that a small list is small.
    private static var firstCapacityMin: Int { 2 }

    /// One place of the directory.
    fileprivate struct Page {
        /// Nil while the page is not in memory.
        var base: UnsafeMutablePointer<Element>?
        /// One bit for each number in use.
        var used: UInt64 = 0
    }

    /// Pages by number; nil for a list that has none.
    private var directory: UnsafeMutablePointer<Page>?
    /// Places in the directory: at least `pageCount`.
    private var directoryCount = 0
    /// Pages there are numbers for.
    private(set) var pageCount = 0
    private var firstCapacity = 0
    /// Pages in memory without a number in use.
    private(set) var emptyPages = 0
    /// Elements in memory.
    private(set) var capacity = 0

    init() {}

    deinit {
        guard let directory else { return }
        for page in 0..<pageCount {
            guard let base = directory[page].base else { continue }
            base.deinitialize(count: page == 0 ? firstCapacity : Self.pageSize)
            base.deallocate()
        }
        directory.deallocate()
    }

    /// Numbers in use.
    var usedCount: Int { indices.reduce(0) { count, _ in count + 1 } }

    /// No number at or above is in use.
    var count: Int { pageCount << Self.shift }

    func isUsed(_ number: Int) -> Bool { usedBits(of: number >> Self.shift) & Self.bit(number) != 0 }

    private func usedBits(of page: Int) -> UInt64 {
        guard page < pageCount, let directory else { return 0 }
        return directory[page].used
    }

    /// The numbers in use, in order. To be walked before the list changes.
    var indices: Indices { Indices(directory: directory, pageCount: pageCount) }

    subscript(number: Int) -> Element {
        // Addresses, because coroutines that are not inlined allocate their frames.
        @inline(__always) unsafeAddress { UnsafePointer(address(of: number) ?? Element.vacant) }
        @inline(__always) unsafeMutableAddress {
            guard let at = address(of: number) else { preconditionFailure("a number is taken before it is written") }
            return at
        }
    }

    @inline(__always)
    private func address(of number: Int) -> UnsafeMutablePointer<Element>? {
        let page = number >> Self.shift
        // A negative number is past the end, too. Places behind the last page have no base.
        guard UInt(bitPattern: page) < UInt(bitPattern: directoryCount), let directory,
            let base = directory[page].base, page > 0 || number < firstCapacity
        else { return nil }
        return base + (number & (Self.pageSize - 1))
    }

    /// A free number of a page, if it has one.
    func freeNumber(in page: Int) -> Int? {
        let used = usedBits(of: page)
        return used == .max ? nil : page << Self.shift + (~used).trailingZeroBitCount
    }

    /// Takes a number, whose element is what it was left as, or vacant.
    mutating func take(_ number: Int) {
        let page = number >> Self.shift
        if page >= pageCount { growDirectory(to: page + 1) }
        guard let directory else { preconditionFailure("a directory that has grown has places") }
        let isPresent = directory[page].base != nil
        if page == 0, number >= firstCapacity {
            growFirstPage(to: number + 1)
        } else if !isPresent {
            let base = UnsafeMutablePointer<Element>.allocate(capacity: Self.pageSize)
            for index in 0..<Self.pageSize { (base + index).initialize(to: Element()) }
            directory[page].base = base
            capacity += Self.pageSize
        }
        if isPresent, directory[page].used == 0 { emptyPages -= 1 }
        precondition(directory[page].used & Self.bit(number) == 0, "a number is taken once")
        directory[page].used |= Self.bit(number)
    }

    /// Gives a number back; the owner has emptied its element.
    mutating func free(_ number: Int) {
        let page = number >> Self.shift
        guard isUsed(number), let directory else { preconditionFailure("a number is given back once") }
        directory[page].used &= ~Self.bit(number)
        if directory[page].used == 0 { emptyPages += 1 }
    }

    /// Gives back the pages without a number in use, and the numbers behind the last page.
    /// - Parameter body: sees every element that goes.
    mutating func releasePages(_ body: (borrowing Element) -> Void = { _ in }) {
        guard emptyPages > 0, let directory else { return }
        var kept = 0
        for page in 0..<pageCount {
            guard directory[page].used == 0 else {
                kept = page + 1
                continue
            }
            guard let base = directory[page].base else { continue }
            let size = page == 0 ? firstCapacity : Self.pageSize
            for index in 0..<size { body(base[index]) }
            base.deinitialize(count: size)
            base.deallocate()
            directory[page].base = nil
            capacity -= size
            if page == 0 { firstCapacity = 0 }
        }
        emptyPages = 0
        guard kept * 2 <= pageCount else { return }
        pageCount = kept
        resizeDirectory(to: kept)
    }

    private static func bit(_ number: Int) -> UInt64 { 1 << UInt64(number & (pageSize - 1)) }

    private mutating func growDirectory(to count: Int) {
        pageCount = count
        if count > directoryCount { resizeDirectory(to: max(count, directoryCount * 2)) }
    }

    /// - Parameter count: 0 gives the directory back.
    private mutating func resizeDirectory(to count: Int) {
        let old = directory
        directory = nil
        if count > 0 {
            let resized = UnsafeMutablePointer<Page>.allocate(capacity: count)
            resized.initialize(repeating: Page(), count: count)
            if let old { resized.update(from: old, count: min(count, directoryCount)) }
            directory = resized
        }
        old?.deallocate()
        directoryCount = count
    }

    private mutating func growFirstPage(to count: Int) {
        let grown = min(Self.pageSize, max(count, max(Self.firstCapacityMin, firstCapacity * 2)))
        let base = UnsafeMutablePointer<Element>.allocate(capacity: grown)
        if let old = directory?[0].base {
            base.moveInitialize(from: old, count: firstCapacity)
            old.deallocate()
        }
        for index in firstCapacity..<grown { (base + index).initialize(to: Element()) }
        directory?[0].base = base
        capacity += grown - firstCapacity
        firstCapacity = grown
    }

    /// The numbers in use, in order.
    struct Indices: Sequence, IteratorProtocol {
        private let directory: UnsafeMutablePointer<Page>?
        private let pageCount: Int
        private var page = 0
        private var left: UInt64 = 0

        fileprivate init(directory: UnsafeMutablePointer<Page>?, pageCount: Int) {
            (self.directory, self.pageCount) = (directory, pageCount)
            if let directory, pageCount > 0 { left = directory[0].used }
        }

        mutating func next() -> Int? {
            while left == 0 {
                page += 1
                guard page < pageCount, let directory else { return nil }
                left = directory[page].used
            }
            defer { left &= left - 1 }
            return page * PagedList.pageSize + left.trailingZeroBitCount
        }
    }
}

// SAFETY: the list owns its memory and writes it through `mutating` members only; who shares the list shares it for reading.
extension PagedList: @unchecked Sendable where Element: Sendable & ~Copyable {}
