import Foundation
import LanguageModel

/// The lines that `model loss` reads: texts, or token ids with labels.
package struct LossExamples {
  private struct Line: Decodable {
    var prompt: String?
    var response: String?
    var ids: [Int]?
    var labels: [Int]?
  }

  private let lines: [Line]
  private let place: String

  /// - Parameter path: - is standard input.
  package init(_ path: String) throws {
    lines = try JSONLines.read(Line.self, from: path)
    place = InputFile.place(path)
    guard !lines.isEmpty else { throw CommandError(.usage, "\(place): no lines. Give at least one example") }
  }

  /// - Parameters:
  ///   - directory: the model's, where its tokenizer is.
  ///   - endsResponses: whether the end token is appended to every response, and labelled.
  package func examples(
    for model: CausalLanguageModel, directory: URL, endsResponses: Bool
  ) throws -> [TrainingExample] {
    let needsTokenizer = lines.contains { $0.ids == nil }
    let tokenizer = needsTokenizer ? try Tokenizer(directory: directory) : nil
    return try lines.enumerated().map { index, line in
      let example = try example(line, number: index + 1, tokenizer: tokenizer, model: model, eos: endsResponses)
      if let tokenizer, line.ids == nil {
        try model.checkpoint?.requireKnown(example.ids.map(Int32.init), tokenizer, place: "\(place):\(index + 1)")
      }
      return example
    }
  }

  private func example(
    _ line: Line, number: Int, tokenizer: Tokenizer?, model: CausalLanguageModel, eos: Bool
  ) throws -> TrainingExample {
    if let ids = line.ids {
      let labels = line.labels ?? ids
      guard labels.count == ids.count, line.prompt == nil, line.response == nil else {
        throw CommandError(.usage, "\(place):\(number): give ids and labels of equal length, and no text beside them")
      }
      return TrainingExample(ids: ids, labels: labels)
    }
    guard let prompt = line.prompt, let response = line.response, let tokenizer else {
      throw CommandError(.usage, "\(place):\(number): give prompt and response, or ids and labels")
    }
    let promptIDs = tokenizer.leadingSpecials + tokenizer.encode(prompt, addSpecialTokens: false)
    var responseIDs = tokenizer.encode(response, addSpecialTokens: false)
    if eos {
      guard let end = tokenizer.specialIDs.eos.first ?? model.endIDs.first.map(Int32.init) else {
        throw CommandError(.usage, "--eos: this model names no end token")
      }
      responseIDs.append(end)
    }
    return TrainingExample(prompt: promptIDs.map(Int.init), response: responseIDs.map(Int.init))
  }
}
