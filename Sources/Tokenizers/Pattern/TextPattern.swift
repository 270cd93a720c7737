import ModelFiles

/// A compiled pattern that is searched in UTF-8 text.
///
/// Alternatives are tried in order, as in the reference. Where that takes many steps, failures are remembered per place in
/// the text, so that the time for a text stays in proportion to its length times that of the pattern.
struct TextPattern: Sendable {
  enum Step: Sendable {
    case set(Int)
    /// Any number of characters of a set, at most `most`.
    case run(set: Int, most: Int, isLazy: Bool, memo: Int)
    /// Try the first place, then the second.
    case split(Int, Int, memo: Int)
    case jump(Int)
    /// Another program must (or must not) match here, or `length` characters before.
    case look(program: Int, isNegative: Bool, back: Int)
    case atomic(program: Int)
    case anchor(PatternNode.Anchor)
    case accept
  }
  struct Program: Sendable {
    var steps: [Step] = []
    /// Steps that can be remembered as failed.
    var memos = 0
  }

  /// Compiled steps beyond this are refused: counts of counts grow fast.
  static let maximumSteps = 20_000
  /// Places where a pattern may go on in several ways; more is refused, as each takes one bit per byte of text.
  static let maximumBranches = 1000
  /// Sets of a pattern beyond this are refused; each takes 8 KB.
  static let maximumSets = 2000

  let programs: [Program]
  let sets: PreparedSets
  let canBeEmpty: Bool

  /// Compiles a regular expression; throws `ModelFileError` (`unsupported`) for what is not implemented.
  init(_ pattern: String) throws {
    let node = try PatternParser.parse(pattern)
    canBeEmpty = node.canBeEmpty
    var compiler = PatternCompiler()
    try compiler.compile(node)
    programs = compiler.programs
    sets = PreparedSets(compiler.sets)
  }

  /// The pattern that is exactly `text`.
  init(literal text: String) throws {
    canBeEmpty = text.isEmpty
    var compiler = PatternCompiler()
    try compiler.compile(.sequence(text.unicodeScalars.map { .set(.range($0.value, $0.value)) }))
    programs = compiler.programs
    sets = PreparedSets(compiler.sets)
  }

  /// Calls `body` with every match in order; none of them is empty.
  func matches(in text: UnsafeBufferPointer<UInt8>, _ body: (Range<Int>) -> Void) {
    var machine = PatternMachine(self, text)
    var start = 0
    while start < text.count {
      guard let end = machine.match(at: start), end > start else {
        start += min(utf8Length(text[start]), text.count - start)
        continue
      }
      body(start..<end)
      machine.forget()
      start = end
    }
  }
}

/// Turns a parsed pattern into steps.
struct PatternCompiler {
  private(set) var programs: [TextPattern.Program] = []
  private(set) var sets: [ScalarSet] = []
  private var numbers: [ScalarSet: Int] = [:]
  private var total = 0

  /// Compiles `node` as a program of its own and returns its number.
  @discardableResult
  mutating func compile(_ node: PatternNode) throws -> Int {
    let number = programs.count
    programs.append(TextPattern.Program())
    var program = TextPattern.Program()
    try emit(node, &program)
    program.steps.append(.accept)
    guard program.memos <= TextPattern.maximumBranches else {
      throw ModelFileError(
        .unsupported, "a pattern of more than \(TextPattern.maximumBranches) branches is not supported")
    }
    programs[number] = program
    return number
  }

  private mutating func add(_ set: ScalarSet) throws -> Int {
    if let known = numbers[set] { return known }
    guard sets.count < TextPattern.maximumSets else {
      throw ModelFileError(
        .unsupported, "a pattern of more than \(TextPattern.maximumSets) characters and sets is not supported")
    }
    sets.append(set)
    numbers[set] = sets.count - 1
    return sets.count - 1
  }

  private mutating func count() throws {
    total += 1
    guard total <= TextPattern.maximumSteps else {
      throw ModelFileError(.unsupported, "a pattern of more than \(TextPattern.maximumSteps) steps is not supported")
    }
  }

  private mutating func emit(_ node: PatternNode, _ program: inout TextPattern.Program) throws {
    try count()
    switch node {
    case .empty: break
    case .set(let set): program.steps.append(.set(try add(set)))
    case .sequence(let parts): for part in parts { try emit(part, &program) }
    case .choice(let parts): try emitChoice(parts, &program)
    case .repeated(let part, let least, let most, let greed): try emitRepeated(part, least, most, greed, &program)
    case .look(let part, let isAhead, let isNegative):
      let back = isAhead ? 0 : part.fixedLength ?? 0
      program.steps.append(.look(program: try compile(part), isNegative: isNegative, back: back))
    case .atomic(let part): program.steps.append(.atomic(program: try compile(part)))
    case .anchor(let anchor): program.steps.append(.anchor(anchor))
    }
  }

  private mutating func emitChoice(_ parts: [PatternNode], _ program: inout TextPattern.Program) throws {
    var jumps: [Int] = []
    for (index, part) in parts.enumerated() {
      guard index < parts.count - 1 else {
        try emit(part, &program)
        break
      }
      let split = program.steps.count
      program.steps.append(.accept)
      try emit(part, &program)
      jumps.append(program.steps.count)
      program.steps.append(.accept)
      program.steps[split] = .split(split + 1, program.steps.count, memo: program.memos)
      program.memos += 1
    }
    for jump in jumps { program.steps[jump] = .jump(program.steps.count) }
  }

  private mutating func emitRepeated(
    _ part: PatternNode, _ least: Int, _ most: Int?, _ greed: PatternNode.Greed, _ program: inout TextPattern.Program
  ) throws {
    if greed == .possessive {
      let inner = try compile(.repeated(part, least: least, most: most, .greedy))
      return program.steps.append(.atomic(program: inner))
    }
    let isLazy = greed == .lazy
    if case .set(let set) = part {
      let number = try add(set)
      for _ in 0..<least {
        try count()
        program.steps.append(.set(number))
      }
      guard most != least else { return }
      program.steps.append(
        .run(set: number, most: most.map { $0 - least } ?? .max, isLazy: isLazy, memo: program.memos))
      program.memos += 1
      return
    }
    for _ in 0..<least { try emit(part, &program) }
    guard let most else { return try emitLoop(part, isLazy, &program) }
    var splits: [Int] = []
    for _ in least..<max(most, least) {
      splits.append(program.steps.count)
      program.steps.append(.accept)
      try emit(part, &program)
    }
    for split in splits { setSplit(split, split + 1, program.steps.count, isLazy, &program) }
  }

  private mutating func emitLoop(_ part: PatternNode, _ isLazy: Bool, _ program: inout TextPattern.Program) throws {
    let split = program.steps.count
    program.steps.append(.accept)
    try emit(part, &program)
    program.steps.append(.jump(split))
    setSplit(split, split + 1, program.steps.count, isLazy, &program)
  }

  private func setSplit(
    _ place: Int, _ inside: Int, _ outside: Int, _ isLazy: Bool, _ program: inout TextPattern.Program
  ) {
    let memo = program.memos
    program.steps[place] = isLazy ? .split(outside, inside, memo: memo) : .split(inside, outside, memo: memo)
    program.memos += 1
  }
}
