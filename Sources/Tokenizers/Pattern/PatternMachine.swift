/// Runs a pattern on one text with its own stack, so that no text can exhaust the thread's.
struct PatternMachine {
  private enum Waiting {
    case at(step: Int, position: Int)
    /// The continuation of a run may start anywhere from `low` to `high`, the highest first.
    case greedy(step: Int, low: Int, high: Int)
    /// A lazy run may take more characters.
    case lazy(step: Int, position: Int, left: Int)
  }

  /// Failures are remembered once a search has gone back this often.
  static let patience = 2000

  private let pattern: TextPattern
  private let sets: PreparedSets
  private let text: UnsafeBufferPointer<UInt8>
  private var stack: [Waiting] = []
  private var retreats = 0
  /// One bit per step that can be remembered and place in the text; empty while nothing is remembered.
  private var failed: [UInt64] = []
  private var touched: [Int] = []

  init(_ pattern: TextPattern, _ text: UnsafeBufferPointer<UInt8>) {
    self.pattern = pattern
    sets = pattern.sets
    self.text = text
  }

  /// The end of the match that starts at `start`, or nil.
  mutating func match(at start: Int) -> Int? { run(0, start) }

  /// To be called after a match: what was tried then did not fail.
  mutating func forget() {
    for word in touched { failed[word] = 0 }
    touched.removeAll(keepingCapacity: true)
    retreats = 0
  }

  private mutating func run(_ number: Int, _ start: Int) -> Int? {
    let base = stack.count
    defer { stack.removeSubrange(base...) }
    let program = pattern.programs[number]
    return program.steps.withUnsafeBufferPointer { steps in
      var step = 0
      var position = start
      while true {
        if let end = advance(steps, program.memos, isMain: number == 0, &step, &position) { return end }
        guard retreat(to: base, steps, &step, &position) else { return nil }
      }
    }
  }

  /// Goes on until the program accepts (the end) or cannot go on (nil).
  private mutating func advance(
    _ steps: UnsafeBufferPointer<TextPattern.Step>, _ memos: Int, isMain: Bool, _ step: inout Int, _ position: inout Int
  ) -> Int? {
    while true {
      switch steps[step] {
      case .accept: return position
      case .jump(let target): step = target
      case .set(let number):
        guard let next = taken(number, position) else { return nil }
        position = next
        step += 1
      case .split(let first, let second, let memo):
        if isMain, hasFailed(memo, position) { return nil }
        if isMain { remember(memo, position...position, memos) }
        stack.append(.at(step: second, position: position))
        step = first
      case .run(let number, let most, let isLazy, let memo):
        if isMain, hasFailed(memo, position) { return nil }
        let low = position
        if isLazy {
          if most > 0 { stack.append(.lazy(step: step, position: position, left: most)) }
        } else {
          var left = most
          while left > 0, let next = taken(number, position) {
            // From a place that is known to fail on, so does every longer run.
            if isMain, most == .max, hasFailed(memo, next) { break }
            (position, left) = (next, left - 1)
          }
          if position > low { stack.append(.greedy(step: step + 1, low: low, high: position)) }
        }
        if isMain { remember(memo, low...(most == .max ? position : low), memos) }
        step += 1
      case .look(let number, let isNegative, let back):
        let found = stepBack(position, back).flatMap { run(number, $0) } != nil
        if found == isNegative { return nil }
        step += 1
      case .atomic(let number):
        guard let end = run(number, position) else { return nil }
        position = end
        step += 1
      case .anchor(let anchor):
        guard holds(anchor, position) else { return nil }
        step += 1
      }
    }
  }

  /// Takes up what waits last; false where nothing of this program does.
  private mutating func retreat(
    to base: Int, _ steps: UnsafeBufferPointer<TextPattern.Step>, _ step: inout Int, _ position: inout Int
  ) -> Bool {
    retreats += 1
    while stack.count > base {
      switch stack.removeLast() {
      case .at(let target, let place):
        (step, position) = (target, place)
        return true
      case .greedy(let target, let low, let high):
        var shorter = high - 1
        while shorter > low, text[shorter] & 0xC0 == 0x80 { shorter -= 1 }
        if shorter > low { stack.append(.greedy(step: target, low: low, high: shorter)) }
        (step, position) = (target, shorter)
        return true
      case .lazy(let target, let place, let left):
        guard case .run(let number, _, _, _) = steps[target], let next = taken(number, place) else {
          continue
        }
        if left > 1 { stack.append(.lazy(step: target, position: next, left: left == .max ? .max : left - 1)) }
        (step, position) = (target + 1, next)
        return true
      }
    }
    return false
  }

  /// The place behind the character at `position` if the set has it.
  @inline(__always)
  private func taken(_ set: Int, _ position: Int) -> Int? {
    guard position < text.count else { return nil }
    let lead = text[position]
    if lead < 0x80 { return sets.contains(set, UInt32(lead)) ? position + 1 : nil }
    let length = min(utf8Length(lead), text.count - position)
    return sets.contains(set, decodeScalar(text, position, length).value) ? position + length : nil
  }

  /// Whether a step is known to fail at a place.
  @inline(__always)
  private func hasFailed(_ memo: Int, _ place: Int) -> Bool {
    guard !failed.isEmpty else { return false }
    let bit = memo * (text.count + 1) + place
    return failed[bit >> 6] >> UInt64(bit & 63) & 1 != 0
  }

  /// From now on a step is taken to fail at these places; it is being tried there.
  private mutating func remember(_ memo: Int, _ places: ClosedRange<Int>, _ memos: Int) {
    guard retreats > Self.patience else { return }
    if failed.isEmpty { failed = [UInt64](repeating: 0, count: (memos * (text.count + 1) + 63) / 64) }
    let first = memo * (text.count + 1)
    for bit in (first + places.lowerBound)...(first + places.upperBound) {
      let word = bit >> 6
      if failed[word] == 0 { touched.append(word) }
      failed[word] |= 1 << UInt64(bit & 63)
    }
  }

  private func stepBack(_ position: Int, _ count: Int) -> Int? {
    var position = position
    for _ in 0..<count {
      guard position > 0 else { return nil }
      position -= 1
      while position > 0, text[position] & 0xC0 == 0x80 { position -= 1 }
    }
    return position
  }

  private func holds(_ anchor: PatternNode.Anchor, _ position: Int) -> Bool {
    switch anchor {
    case .textStart: position == 0
    case .textEnd: position == text.count
    case .textEndOrLastNewline: position == text.count || (position == text.count - 1 && text[position] == 10)
    case .lineStart: position == 0 || (text[position - 1] == 10 && position < text.count)
    case .lineEnd: position == text.count || text[position] == 10
    case .wordBoundary: isWord(before: position) != isWord(at: position)
    case .noWordBoundary: isWord(before: position) == isWord(at: position)
    }
  }

  private func isWord(at position: Int) -> Bool {
    guard position < text.count else { return false }
    let length = min(utf8Length(text[position]), text.count - position)
    return UnicodeClasses.isWord(decodeScalar(text, position, length).value)
  }

  private func isWord(before position: Int) -> Bool { stepBack(position, 1).map { isWord(at: $0) } ?? false }
}
