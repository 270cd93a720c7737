/// What a template says: expressions.
struct Expression: Sendable {
  let kind: Kind
  let line: Int
  /// Levels of expressions one inside of the other.
  let height: Int

  init(kind: Kind, line: Int) {
    self.kind = kind
    self.line = line
    height = 1 + (kind.children.map(\.height).max() ?? 0)
  }

  indirect enum Kind: Sendable {
    case constant(Constant)
    case name(String)
    case list([Expression])
    case tuple([Expression])
    case mapping([(key: Expression, value: Expression)])
    case not(Expression)
    case negate(Expression, isMinus: Bool)
    case and(Expression, Expression)
    case or(Expression, Expression)
    case arithmetic(Arithmetic, Expression, Expression)
    case concatenation([Expression])
    case comparison(Expression, [(Comparison, Expression)])
    case attribute(Expression, String)
    case item(Expression, Expression)
    case slice(start: Expression?, stop: Expression?, step: Expression?)
    case call(Expression, CallArguments)
    /// The value is nil in a filter of a block.
    case filter(Expression?, String, CallArguments)
    case test(Expression, String, CallArguments)
    case condition(test: Expression, then: Expression, otherwise: Expression?)
  }
}

extension Expression.Kind {
  /// The expressions inside, in the order of the grammar.
  var children: [Expression] {
    switch self {
    case .constant, .name: []
    case .list(let items), .tuple(let items), .concatenation(let items): items
    case .mapping(let items): items.flatMap { [$0.key, $0.value] }
    case .not(let operand), .negate(let operand, _), .attribute(let operand, _): [operand]
    case .and(let left, let right), .or(let left, let right), .arithmetic(_, let left, let right): [left, right]
    case .comparison(let first, let rest): [first] + rest.map(\.1)
    case .item(let value, let index): [value, index]
    case .slice(let start, let stop, let step): [start, stop, step].compactMap(\.self)
    case .call(let value, let arguments), .test(let value, _, let arguments): [value] + arguments.expressions
    case .filter(let value, _, let arguments): [value].compactMap(\.self) + arguments.expressions
    case .condition(let test, let then, let otherwise): [test, then, otherwise].compactMap(\.self)
    }
  }
}

enum Constant: Sendable {
  case none
  case bool(Bool)
  case integer(Integer)
  case double(Double)
  case text(Text)

  var value: Value {
    switch self {
    case .none: .none
    case .bool(let flag): .bool(flag)
    case .integer(let integer): .integer(integer)
    case .double(let number): .double(number)
    case .text(let text): .text(text)
    }
  }
}

enum Arithmetic: String, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case divideDown = "//"
  case remainder = "%"
  case power = "**"
}

enum Comparison: Sendable {
  case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, isIn, isNotIn

  static let signs: [String: Comparison] = [
    "==": .equal, "!=": .notEqual, "<": .less, "<=": .lessOrEqual, ">": .greater, ">=": .greaterOrEqual,
  ]
}

struct CallArguments: Sendable {
  var positional: [Expression] = []
  var named: [(name: String, value: Expression)] = []
  var list: Expression?
  var mapping: Expression?

  var expressions: [Expression] { positional + named.map(\.value) + [list, mapping].compactMap(\.self) }
}

/// What a template says: statements.
///
/// Numbers of scopes index the table that ``ScopeAnalysis`` makes.
struct Statement: Sendable {
  let kind: Kind
  let line: Int

  indirect enum Kind: Sendable {
    case text(Text)
    case output(Expression)
    case loop(ForLoop)
    case branch([(test: Expression, body: [Statement])], otherwise: [Statement])
    case set(Target, Expression)
    case setBlock(Target, filter: Expression?, Body)
    case macro(Signature)
    case call(Signature, Expression)
    case filter(Expression, Body)
    case with([(target: Target, value: Expression)], Body)
    case generation(Signature)
    case block(String, isScoped: Bool, Body)
    case leave(continuing: Bool)
    /// A tag that needs other files, which there are none of.
    case external(Expression)
  }
}

struct Body: Sendable {
  let scope: Int
  let statements: [Statement]
}

struct ForLoop: Sendable {
  let target: Target
  let items: Expression
  let test: Expression?
  let testScope: Int
  let isRecursive: Bool
  let body: Body
  let otherwise: Body
}

/// Parameters and body of a macro or a call block.
struct Signature: Sendable {
  let name: String?
  let parameters: [(name: String, standard: Expression?)]
  let body: Body
}

indirect enum Target: Sendable {
  case name(String)
  case attribute(String, String)
  case tuple([Target])

  var names: [String] {
    switch self {
    case .name(let name): [name]
    case .attribute: []
    case .tuple(let targets): targets.flatMap(\.names)
    }
  }

  var namespaces: [String] {
    switch self {
    case .name: []
    case .attribute(let name, _): [name]
    case .tuple(let targets): targets.flatMap(\.namespaces)
    }
  }
}
