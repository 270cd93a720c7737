import Foundation
import TestSupport
import Testing

/// No test may hold a run for ever: see ``TimeBoundTrait``.
@Suite("Every suite is bounded", .ownThread, .bounded) struct BoundedSuitesTests {
  /// Suites are top-level types; what is nested in an extension inherits from the type that it extends.
  @Test("a type with tests carries the trait .bounded") func everySuite() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
    var suites = 0
    for path in paths where !path.hasPrefix("TestSupport/") {
      let lines = try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
        .split(separator: "\n", omittingEmptySubsequences: false)
      var declaration: (line: Int, isBounded: Bool)?
      for (index, line) in lines.enumerated() {
        if line.contains(/^(@Suite.*\s)?(final )?(struct|class|enum|actor) \w+/) {
          // The attribute may stand on lines of its own above the type.
          let attributes = lines[..<index].reversed().prefix { $0.hasPrefix("@") || $0.hasPrefix(" ") || $0 == ")" }
          declaration = (index + 1, ([line] + attributes).contains { $0.contains(".bounded") })
        } else if line.contains(/^extension \w+/) {
          declaration = nil
        }
        guard line.contains(/^ +@Test\b/), let found = declaration else { continue }
        suites += 1
        #expect(found.isBounded, "\(path):\(found.line): add .bounded to the suite")
        declaration = nil
      }
    }
    #expect(suites > 150)
  }
}
