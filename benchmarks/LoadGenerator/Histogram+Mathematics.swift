internal import Glibc

extension Histogram {
    static func logarithm2(_ x: Double) -> Double { log2(x) }
    static func power2(_ x: Double) -> Double { exp2(x) }
}
