import Foundation
import TestSupport
import Testing

@testable import LanguageModel

/// The kernels give the bits that they gave when their digests were recorded, on every instruction set of this machine.
///
/// A change of structure must not change a bit. Who changes a result on purpose removes the digests that it concerns and
/// records them anew (`ENGRAM_WRITE_FIXTURES=1`) on each machine where they were recorded.
@Suite(.bounded) struct KernelDigestTests {
  /// One way to compute: an instruction set and the precision of products.
  struct Way: Sendable, CustomTestStringConvertible {
    let path: CPUPath
    let precision: CPUPrecision

    /// The name that its digests are kept under.
    var machine: String {
      // Tiles are emulated with the vector kernels of the best set that has tables for them.
      let vectors = path == .amxEmulated ? " with \(CPUPath.best >= .avx512 ? "AVX-512" : "portable") vectors" : ""
      // The C library takes other versions of its functions where there are fused multiply-adds.
      let library = CPUPath.best >= .avx2 ? "" : ", no FMA"
      return "\(path)\(vectors), \(precision.rawValue), \(RecordedDigests.toolchain)\(library)"
    }
    var testDescription: String { machine }
    var recorded: [String: String]? { KernelDigestTests.recorded?.digests(of: machine) }
  }

  static let recorded = try? RecordedDigests("kernels")  // a damaged file: `isReadable` fails
  static let ways = CPUBackendTests.paths.flatMap { path in
    [CPUPrecision.float32, .bfloat16].map { Way(path: path, precision: $0) }
  }
  static let missing = ways.filter { $0.recorded == nil }

  @Test("The recorded digests can be read") func isReadable() throws { _ = try RecordedDigests("kernels") }

  @Test("Same bits as recorded, with one thread and with three", arguments: ways.filter { $0.recorded != nil })
  func sameBits(way: Way) throws {
    let expected = try #require(way.recorded)
    for threads in [1, 3] {
      let found = try KernelDigest(CPUBackend(precision: way.precision, threads: threads, path: way.path)).digests
      #expect(Set(found.keys) == Set(expected.keys))
      for (name, digest) in found { #expect(digest == expected[name], "\(name), \(threads) threads, \(way.machine)") }
    }
  }

  @Test(
    "Every instruction set of this machine has digests",
    .enabled(
      if: missing.isEmpty || RecordedDigests.isRecording,
      "no digests for \(missing.map(\.machine).joined(separator: "; ")): record them with ENGRAM_WRITE_FIXTURES=1"))
  func recordsWhatIsMissing() throws {
    for way in Self.missing {
      let backend = try CPUBackend(precision: way.precision, threads: 1, path: way.path)
      try RecordedDigests("kernels").record(KernelDigest(backend).digests, of: way.machine)
    }
    #expect(try RecordedDigests("kernels").digests(of: try #require(Self.ways.last).machine) != nil)
  }
}
