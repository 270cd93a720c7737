import StrictJSON
import TestSupport
import Testing

@Suite("Fields of JSON objects", .bounded) struct FieldReaderTests {
  private struct Failure: FieldFailure, Equatable {
    var problem: FieldProblem
    var location: String
    init(field problem: FieldProblem, _ message: String, at location: String) {
      self.problem = problem
      self.location = location
    }
  }

  private enum Color: String, CaseIterable { case red, blue }

  private func reader(_ value: JSONValue) throws(Failure) -> FieldReader<Failure> {
    try FieldReader(value, at: "top")
  }

  /// What goes wrong when `body` reads from `value`.
  private func failure(
    _ value: JSONValue, _ body: (inout FieldReader<Failure>) throws(Failure) -> Void
  ) -> Failure? {
    do throws(Failure) {
      var fields = try reader(value)
      try body(&fields)
      return nil
    } catch { return error }
  }

  @Test("fields are taken by name, and nothing is left") func taken() throws {
    var fields = try reader([
      "s": "text", "i": 3, "b": true, "n": ["x": 1, "y": 2.5, "z": .null], "l": ["a", "b"], "c": "red",
      "o": ["i": 1], "none": .null,
    ])
    #expect(try fields.string("s", max: 4) == "text" && fields.integer("i", in: 0...3) == 3 && fields.bool("b"))
    let numbers = try fields.numbers("n", max: 3)
    #expect(numbers["x"] == 1 && numbers["y"] == 2.5 && numbers["z"]?.isNaN == true)
    #expect(try fields.strings("l", max: 2, bytes: 1) == ["a", "b"] && fields.choice("c", Color.self) == .red)
    var inner = try fields.object("o")
    #expect(inner.location("i") == "top.o.i")
    #expect(try inner.optionalInteger("i", in: 0...1) == 1 && inner.optionalString("s", max: 1) == nil)
    #expect(try fields.optionalInteger("none", in: 0...1) == nil)
    #expect(try fields.optionalNumbers("none", max: 1) == nil)
    try inner.finish()
    try fields.finish()
  }

  @Test("what is missing, mistyped, out of range or left over is told with its place") func refused() {
    #expect(failure([1]) { _ in }?.problem == .wrongType)
    #expect(failure([:]) { f throws(Failure) in _ = try f.bool("b") } == Failure(field: .missing, "", at: "top.b"))
    #expect(
      failure(["b": 1]) { f throws(Failure) in _ = try f.bool("b") } == Failure(field: .wrongType, "", at: "top.b"))
    #expect(
      failure(["i": 5]) { f throws(Failure) in _ = try f.integer("i", in: 0...4) }
        == Failure(field: .outOfRange, "", at: "top.i"))
    #expect(
      failure(["i": 1.0]) { f throws(Failure) in _ = try f.integer("i", in: 0...4) }
        == Failure(field: .wrongType, "", at: "top.i"))
    #expect(failure(["x": 1]) { f throws(Failure) in try f.finish() } == Failure(field: .unknown, "", at: "top.x"))
    #expect(
      failure(["s": ""]) { f throws(Failure) in _ = try f.string("s", max: 4) }
        == Failure(field: .outOfRange, "", at: "top.s"))
    #expect(
      failure(["c": "green"]) { f throws(Failure) in _ = try f.choice("c", Color.self) }
        == Failure(field: .outOfRange, "", at: "top.c"))
    #expect(
      failure(["n": ["x": "1"]]) { f throws(Failure) in _ = try f.numbers("n", max: 1) }
        == Failure(field: .wrongType, "", at: "top.n.x"))
    #expect(
      failure(["l": [1, 2]]) { f throws(Failure) in _ = try f.strings("l", max: 1, bytes: 1) }
        == Failure(field: .tooMany, "", at: "top.l"))
    #expect(
      failure(["l": ["a", 2]]) { f throws(Failure) in _ = try f.strings("l", max: 2, bytes: 1) }
        == Failure(field: .wrongType, "", at: "top.l[1]"))
  }
}
