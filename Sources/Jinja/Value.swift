/// A value of a template: what Python's types are to Jinja.
///
/// Nothing that is made changes, but for namespaces and iterators.
package enum Value {
  case undefined(Undefined)
  case none
  case bool(Bool)
  case integer(Integer)
  case double(Double)
  case text(Text)
  case list(ListValue)
  case tuple(TupleValue)
  case mapping(MappingValue)
  case view(MappingView)
  case range(RangeValue)
  case iterator(ValueIterator)
  case function(Function)
  case macro(Macro)
  case namespace(Namespace)
  case loop(LoopState)
  case cycler(Cycler)

  package init(_ string: String) { self = .text(Text(string)) }
  package init(_ value: Int) { self = .integer(Integer(value)) }
  /// An integer by its decimal digits, with a sign; nil where they are none.
  package init?(integer digits: String) {
    let isNegative = digits.hasPrefix("-")
    guard let value = Integer(digits: digits.dropFirst(isNegative ? 1 : 0).unicodeScalars, radix: 10) else {
      return nil
    }
    self = .integer(isNegative ? -value : value)
  }
  package init(_ items: [Value]) { self = .list(ListValue(items)) }
  /// A dictionary with text for keys, in their order; of equal keys the last one counts.
  package init(_ members: [(key: String, value: Value)]) {
    let mapping = MappingValue()
    for (key, value) in members { mapping.set(.text(Text(key)), .text(Text(key)), value) }
    self = .mapping(mapping)
  }

  static func string(_ text: [Unicode.Scalar]) -> Value { .text(Text(text)) }
}

/// A name or an element that is not there: it prints as nothing, and all that is done with it fails with its message.
package struct Undefined {
  let message: String
  var kind = TemplateError.Kind.undefined

  init(name: String) { message = "\(Text(name).quoted.string) is undefined" }
  init(hint: String, kind: TemplateError.Kind = .undefined) {
    message = hint
    self.kind = kind
  }

  var error: TemplateError { TemplateError(kind, message) }
}

package final class ListValue {
  let items: [Value]
  /// Levels of values one inside of the other.
  let height: Int
  init(_ items: [Value]) {
    self.items = items
    height = items.height
  }
}

package final class TupleValue {
  let items: [Value]
  /// Names of the items, of what `groupby` gives.
  let names: [String]
  let height: Int
  init(_ items: [Value], names: [String] = []) {
    self.items = items
    height = items.height
    self.names = names
  }
}

/// A dictionary in the order in which its keys came.
package final class MappingValue {
  private(set) var entries: [(key: Value, value: Value)] = []
  private var index: [HashKey: Int] = [:]
  private(set) var height = 1

  func set(_ hash: HashKey, _ key: Value, _ value: Value) {
    height = max(height, key.height + 1, value.height + 1)
    if let position = index[hash] {
      entries[position].value = value
    } else {
      index[hash] = entries.count
      entries.append((key, value))
    }
  }

  subscript(hash: HashKey) -> Value? { index[hash].map { entries[$0].value } }
  subscript(name: String) -> Value? { self[.text(Text(name))] }
}

/// What `keys`, `values`, and `items` of a dictionary give.
package struct MappingView {
  enum Part: String { case keys, values, items }
  let part: Part
  let mapping: MappingValue

  var items: [Value] {
    mapping.entries.map { entry in
      switch part {
      case .keys: entry.key
      case .values: entry.value
      case .items: .tuple(TupleValue([entry.key, entry.value]))
      }
    }
  }
}

package struct RangeValue: Hashable {
  let start, stop, step: Integer
  let count: Int

  /// `step` is not zero.
  init(_ start: Integer, _ stop: Integer, _ step: Integer) {
    (self.start, self.stop, self.step) = (start, stop, step)
    let span = step.isNegative ? start - stop : stop - start
    count =
      span > .small(0) ? ((span - .small(1)).dividedDown(by: step.magnitude).quotient + .small(1)).clamped : 0
  }

  func item(_ index: Int) -> Integer { start + step * Integer(index) }
}

/// Items that come one by one and are gone then, as of a generator.
package final class ValueIterator {
  let name: String
  let next: () throws -> Value?
  let height: Int

  /// - Parameter source: what the items are made of.
  init(_ name: String = "generator", of source: Value = .none, _ next: @escaping () throws -> Value?) {
    self.name = name
    height = source.height + 1
    self.next = next
  }

  convenience init(_ name: String = "generator", of source: Value, items: some Sequence<Value>) {
    var iterator = items.makeIterator()
    self.init(name, of: source) { iterator.next() }
  }
}

package final class Namespace {
  var members = MappingValue()
}

package final class Cycler {
  let items: [Value]
  let height: Int
  var position = 0
  init(_ items: [Value]) {
    self.items = items
    height = items.height
  }
}

/// A function or a method with the value that it is of.
package final class Function {
  let name: String
  /// Its Python type.
  let type: String
  let call: (Interpreter, Arguments) throws -> Value
  let height: Int

  /// - Parameter value: what a method is of.
  init(
    _ name: String, type: String = "builtin_function_or_method", of value: Value = .none,
    _ call: @escaping (Interpreter, Arguments) throws -> Value
  ) {
    self.name = name
    self.type = type
    self.call = call
    height = value.height + 1
  }
}

extension Value {
  /// Levels of values one inside of the other.
  ///
  /// Namespaces and macros count as one: they are let go of one by one.
  var height: Int {
    switch self {
    case .list(let list): list.height
    case .tuple(let tuple): tuple.height
    case .mapping(let mapping): mapping.height
    case .view(let view): view.mapping.height
    case .iterator(let iterator): iterator.height
    case .function(let function): function.height
    case .loop(let loop): loop.height
    case .cycler(let cycler): cycler.height
    default: 1
    }
  }
}

extension [Value] {
  /// Levels of a value that holds these.
  fileprivate var height: Int { 1 + (lazy.map(\.height).max() ?? 0) }
}
