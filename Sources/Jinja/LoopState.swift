/// `loop`: where a loop is, with one item looked at ahead where it was asked for.
package final class LoopState {
  private let items: ValueIterator
  private var storedCount: Int?
  private var ahead: Value?
  private var drained: [Value]?
  private var drainedNext = 0
  private(set) var current: Value?
  private(set) var previous: Value?
  var index0 = -1
  let depth0: Int
  let height: Int
  var lastChanged: [Value]?
  /// Runs the body on other items, in recursive loops.
  let recurse: ((Value, Int) throws -> Value)?

  init(_ items: ValueIterator, count: Int?, depth0: Int, recurse: ((Value, Int) throws -> Value)?) {
    self.items = items
    height = items.height + 1
    storedCount = count
    self.depth0 = depth0
    self.recurse = recurse
  }

  private func take() throws -> Value? {
    guard let drained else { return try items.next() }
    guard drainedNext < drained.count else { return nil }
    drainedNext += 1
    return drained[drainedNext - 1]
  }

  /// Goes to the next item.
  func advance() throws -> Value? {
    let item: Value?
    if let next = ahead {
      item = next
      ahead = nil
    } else {
      item = try take()
    }
    guard let item else { return nil }
    index0 += 1
    previous = current
    current = item
    return item
  }

  func peek() throws -> Value? {
    if ahead == nil { ahead = try take() }
    return ahead
  }

  /// How many items there are; those of an iterator are all taken for this.
  func length() throws -> Int {
    if let storedCount { return storedCount }
    var rest: [Value] = []
    while let item = try take() { rest.append(item) }
    (drained, drainedNext) = (rest, 0)
    let count = rest.count + index0 + 1 + (ahead == nil ? 0 : 1)
    storedCount = count
    return count
  }
}

extension Interpreter {
  func run(_ loop: ForLoop, _ frame: Frame) throws -> Flow {
    let items = try evaluate(loop.items, frame)
    guard loop.isRecursive else { return try run(loop, items, frame, depth: 0, recurse: nil) }
    func render(_ items: Value, _ depth: Int) throws -> Value {
      .text(try self.captured { _ = try self.run(loop, items, frame, depth: depth, recurse: render) })
    }
    try write(text(render(items, 0)))
    return .on
  }

  private func run(
    _ loop: ForLoop, _ items: Value, _ frame: Frame, depth: Int, recurse: ((Value, Int) throws -> Value)?
  ) throws -> Flow {
    var iterator = try iterate(items)
    if let test = loop.test { iterator = filtered(iterator, loop, test, frame) }
    let state = LoopState(
      iterator, count: loop.test == nil ? items.count : nil, depth0: depth, recurse: recurse)
    let inner = Frame(template.scopes[loop.body.scope], in: frame)
    defer { inner.leave() }
    var hasCompleted = false
    loop: while let item = try state.advance() {
      try step()
      inner["loop"] = .loop(state)
      try assign(loop.target, item, inner, exports: false)
      inner.enter(self)
      var flow: Flow
      do { flow = try execute(loop.body.statements, inner) } catch let leaving as LeavingBlock { flow = leaving.flow }
      switch flow {
      case .leave: break loop
      case .next: continue
      case .on: hasCompleted = true
      }
    }
    if hasCompleted || loop.otherwise.statements.isEmpty { return .on }
    let otherwise = Frame(template.scopes[loop.otherwise.scope], in: frame)
    otherwise.enter(self)
    defer { otherwise.leave() }
    return try execute(loop.otherwise.statements, otherwise)
  }

  /// Tests items as they are taken.
  private func filtered(
    _ items: ValueIterator, _ loop: ForLoop, _ test: Expression, _ frame: Frame
  ) -> ValueIterator {
    let inner = Frame(template.scopes[loop.testScope], in: frame)
    inner.enter(self)
    return ValueIterator(of: .iterator(items)) {
      while let item = try items.next() {
        try self.step()
        // The names of a target are tested and passed on as a tuple of them.
        let item = try self.repacked(item, for: loop.target)
        try self.assign(loop.target, item, inner, exports: false)
        if try self.evaluate(test, inner).isTrue { return item }
      }
      return nil
    }
  }
}
