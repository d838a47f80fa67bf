/// What can stand at a number that nobody has.
protocol Vacant {
    init()
    /// The one that a read of a number without a page sees. Never written.
    static var vacant: UnsafeMutablePointer<Self> { get }
}

extension Vacant {
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
/// Reading a number without a page gives a vacant element, so that a number which outlived its page does no harm. A struct
/// in name only: a copy is the same list. Owned by one thread, or reached under its owner's lock.
struct PagedList<Element: Vacant> {
    /// The pages' memory, given back with the last list that names it.
    private final class Pages {
        var directory: UnsafeMutablePointer<UnsafeMutablePointer<Element>?>?
        var count = 0
        var firstCapacity = 0

        func free(_ page: Int) {
            guard let base = directory?[page] else { return }
            base.deinitialize(count: page == 0 ? firstCapacity : PagedList.pageSize)
            base.deallocate()
            directory?[page] = nil
            if page == 0 { firstCapacity = 0 }
        }

        deinit {
            for page in 0..<count { free(page) }
            directory?.deallocate()
        }
    }

    static var pageSize: Int { 64 }
    private static var shift: Int { 6 }
    /// The first page grows to its size, so that a small list is small.
    private static var firstCapacityMin: Int { 2 }

    /// Nil for a list that never had an element.
    private var pages: Pages?
    /// The same as in `pages`, where a read finds it without a reference.
    private var directory: UnsafeMutablePointer<UnsafeMutablePointer<Element>?>?
    private var firstCapacity = 0
    /// One bit for each number in use.
    private var used: [UInt64] = []
    /// Pages in memory without a number in use.
    private(set) var emptyPages = 0

    init() {}

    /// Pages there are numbers for.
    var pageCount: Int { used.count }

    /// Numbers in use.
    var usedCount: Int { used.reduce(0) { $0 + $1.nonzeroBitCount } }

    /// Elements in memory, for tests and figures.
    var capacity: Int {
        (0..<pageCount).reduce(0) { $0 + (directory?[$1] == nil ? 0 : $1 == 0 ? firstCapacity : Self.pageSize) }
    }

    /// No number at or above is in use.
    var count: Int { used.count << Self.shift }

    func isUsed(_ number: Int) -> Bool {
        number >> Self.shift < used.count && used[number >> Self.shift] & Self.bit(number) != 0
    }

    /// The numbers in use, in order.
    var indices: Indices { Indices(used: used) }

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
        guard number >= 0, page < used.count, let directory, let base = directory[page] else { return nil }
        guard page > 0 || number < firstCapacity else { return nil }
        return base + (number & (Self.pageSize - 1))
    }

    /// A free number of a page, if it has one.
    func freeNumber(in page: Int) -> Int? {
        used[page] == .max ? nil : page << Self.shift + (~used[page]).trailingZeroBitCount
    }

    /// Takes a number, whose element is what it was left as, or vacant.
    mutating func take(_ number: Int) {
        let page = number >> Self.shift
        let owner = pages ?? Pages()
        pages = owner
        if page >= used.count { growDirectory(of: owner, to: page + 1) }
        let isPresent = owner.directory?[page] != nil
        if page == 0, number >= firstCapacity {
            growFirstPage(of: owner, to: number + 1)
        } else if !isPresent {
            let base = UnsafeMutablePointer<Element>.allocate(capacity: Self.pageSize)
            for index in 0..<Self.pageSize { (base + index).initialize(to: Element()) }
            owner.directory?[page] = base
        }
        if isPresent, used[page] == 0 { emptyPages -= 1 }
        precondition(used[page] & Self.bit(number) == 0, "a number is taken once")
        used[page] |= Self.bit(number)
    }

    /// Gives a number back; the owner has emptied its element.
    mutating func free(_ number: Int) {
        let page = number >> Self.shift
        precondition(isUsed(number), "a number is given back once")
        used[page] &= ~Self.bit(number)
        if used[page] == 0 { emptyPages += 1 }
    }

    /// Gives back the pages without a number in use, and the numbers behind the last page.
    /// - Parameter body: sees every element that goes.
    mutating func releasePages(_ body: (Element) -> Void = { _ in }) {
        guard emptyPages > 0, let owner = pages else { return }
        for page in 0..<used.count where used[page] == 0 {
            guard let base = directory?[page] else { continue }
            for index in 0..<(page == 0 ? firstCapacity : Self.pageSize) { body(base[index]) }
            owner.free(page)
        }
        firstCapacity = owner.firstCapacity
        emptyPages = 0
        let kept = used.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
        guard kept * 2 <= used.count else { return }
        used = Array(used[..<kept])
        resizeDirectory(of: owner, to: kept)
    }

    private static func bit(_ number: Int) -> UInt64 { 1 << UInt64(number & (pageSize - 1)) }

    private mutating func growDirectory(of owner: Pages, to count: Int) {
        used.append(contentsOf: repeatElement(0, count: count - used.count))
        if count > owner.count { resizeDirectory(of: owner, to: max(count, owner.count * 2)) }
    }

    private mutating func resizeDirectory(of owner: Pages, to count: Int) {
        let resized = UnsafeMutablePointer<UnsafeMutablePointer<Element>?>.allocate(capacity: max(1, count))
        resized.initialize(repeating: nil, count: max(1, count))
        if let old = owner.directory { resized.update(from: old, count: min(count, owner.count)) }
        owner.directory?.deallocate()
        (owner.directory, owner.count, directory) = (resized, count, resized)
    }

    private mutating func growFirstPage(of owner: Pages, to count: Int) {
        let capacity = min(Self.pageSize, max(count, max(Self.firstCapacityMin, firstCapacity * 2)))
        let base = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
        if let old = owner.directory?[0] {
            base.moveInitialize(from: old, count: firstCapacity)
            old.deallocate()
        }
        for index in firstCapacity..<capacity { (base + index).initialize(to: Element()) }
        owner.directory?[0] = base
        (owner.firstCapacity, firstCapacity) = (capacity, capacity)
    }

    /// The numbers in use, in order.
    struct Indices: Sequence, IteratorProtocol {
        private let used: [UInt64]
        private var page = 0
        private var left: UInt64

        init(used: [UInt64]) {
            self.used = used
            left = used.first ?? 0
        }

        mutating func next() -> Int? {
            while left == 0 {
                page += 1
                guard page < used.count else { return nil }
                left = used[page]
            }
            defer { left &= left - 1 }
            return page * PagedList.pageSize + left.trailingZeroBitCount
        }
    }
}

// SAFETY: the memory is written through `mutating` members of the one owner only; who shares the list shares it for reading.
extension PagedList: @unchecked Sendable where Element: Sendable {}
