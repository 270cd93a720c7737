/// What a function, filter, or test is called with.
struct Arguments {
  var positional: [Value] = []
  var named: [(name: String, value: Value)] = []

  init(_ positional: [Value] = [], named: [(name: String, value: Value)] = []) {
    self.positional = positional
    self.named = named
  }

  /// Values for parameters in their order; nil where one was not given.
  func bound(_ function: String, _ names: [String], required: Int = 0) throws -> [Value?] {
    guard positional.count <= names.count else {
      throw TemplateError(
        .type, "\(function)() takes \(names.count) positional arguments but \(positional.count) were given")
    }
    var values: [Value?] = positional + Array(repeating: nil, count: names.count - positional.count)
    for (name, value) in named {
      guard let index = names.firstIndex(of: name) else {
        throw TemplateError(.type, "\(function)() got an unexpected keyword argument '\(name)'")
      }
      guard values[index] == nil else {
        throw TemplateError(.type, "\(function)() got multiple values for argument '\(name)'")
      }
      values[index] = value
    }
    for index in 0..<required where values[index] == nil {
      throw TemplateError(.type, "\(function)() missing 1 required positional argument: '\(names[index])'")
    }
    return values
  }

  /// Values of a function that takes no names.
  func unnamed(_ function: String, _ counts: ClosedRange<Int>) throws -> [Value] {
    guard named.isEmpty else { throw TemplateError(.type, "\(function)() takes no keyword arguments") }
    guard counts.contains(positional.count) else {
      throw TemplateError(
        .type, "\(function)() takes \(counts.lowerBound) to \(counts.upperBound) arguments, not \(positional.count)")
    }
    return positional
  }
}
