import Foundation
import Glibc
import Glibc

/// A digest of the bits of numbers (64-bit FNV-1a): equal numbers give equal digests, the slightest difference another.
public struct BitDigest: CustomStringConvertible {
  private var hash: UInt64 = 0xcbf2_9ce4_8422_2325

  public init() {}

  private mutating func add(_ bits: UInt64, bytes: Int) {
    for byte in 0..<bytes { hash = (hash ^ ((bits >> UInt64(8 * byte)) & 0xff)) &* 0x0000_0100_0000_01b3 }
  }

  public mutating func add(_ values: [Float]) { for value in values { add(UInt64(value.bitPattern), bytes: 4) } }
  public mutating func add(_ values: [Double]) { for value in values { add(value.bitPattern, bytes: 8) } }
  public mutating func add(_ values: [Int]) { for value in values { add(UInt64(bitPattern: Int64(value)), bytes: 8) } }
  public mutating func add(_ data: Data) { for byte in data { add(UInt64(byte), bytes: 1) } }

  public var description: String {
    let text = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}

/// Recorded digests by name, for one kind of machine after the other.
///
/// Bits depend on the instruction set, the compiler and the C library, so that digests are kept under the name of all three.
/// A machine without recorded digests cannot compare: its tests are skipped, with the name in the log.
/// `ENGRAM_WRITE_FIXTURES=1` records what is missing and never replaces what is there.
public struct RecordedDigests: Sendable {
  private let path: String
  private let all: [String: [String: String]]

  /// Reads `Tests/Fixtures/digests/NAME.json`.
  public init(_ name: String) throws {
    path = "digests/\(name).json"
    let exists = FileManager.default.fileExists(atPath: Fixtures.url(path).path)
    all = exists ? try Fixtures.decode([String: [String: String]].self, from: path) : [:]
  }

  /// The version of the C library, whose functions round differently from one to the next.
  private static var library: String {
    guard let symbol = dlsym(nil, "gnu_get_libc_version") else { return "another C library" }
    // The function's type, from gnu/libc-version.h.
    let version = unsafeBitCast(symbol, to: (@convention(c) () -> UnsafePointer<CChar>).self)
    return "glibc \(String(cString: version()))"
  }

  /// What this process was compiled with and for.
  public static var toolchain: String {
    #if compiler(>=6.4)
      let swift = "a Swift after 6.3"
    #elseif compiler(>=6.3)
      let swift = "Swift 6.3"
    #elseif compiler(>=6.2)
      let swift = "Swift 6.2"
    #else
      let swift = "Swift 6.1"
    #endif
    #if arch(x86_64)
      return "x86-64, \(swift), \(library)"
    #else
      return "not x86-64, \(swift), \(library)"
    #endif
  }

  /// Whether this process is to record what is missing.
  public static var isRecording: Bool { ProcessInfo.processInfo.environment["ENGRAM_WRITE_FIXTURES"] != nil }

  public func digests(of machine: String) -> [String: String]? { all[machine] }

  /// Adds the digests of a machine that has none yet.
  public func record(_ digests: [String: String], of machine: String) throws {
    guard all[machine] == nil else { return }
    // Read again: the process records one machine after the other.
    let name = String(path.dropFirst("digests/".count).dropLast(".json".count))
    var current = try RecordedDigests(name).all
    current[machine] = digests
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try FileManager.default.createDirectory(at: Fixtures.url("digests"), withIntermediateDirectories: true)
    try (encoder.encode(current) + Data("\n".utf8)).write(to: Fixtures.url(path))
  }
}
