import Foundation
import Foundations

/// A training run between two steps: parameters, moments and position, enough for a continuation that gives the same
/// bits.
///
/// The order of the data follows from the options' seed and the step.
public struct TrainingState: Sendable, Equatable {
  /// Steps done.
  public var step: Int
  /// Steps in all.
  public var steps: Int
  /// Number of training examples, for recognition.
  public var examples: Int
  /// The run's options; a continuation must have the same.
  public var options: TrainingOptions
  /// All parameters that train, end to end.
  public var values: [Float]
  /// AdamW's first moments in the same layout.
  public var firstMoment: [Float]
  /// AdamW's second moments in the same layout.
  public var secondMoment: [Float]
  /// Validation losses so far.
  public var validations: [ValidationPoint] = []
  /// The parameters at the best validation; nil unless the run keeps them.
  public var bestValues: [Float]?

  init(
    step: Int, steps: Int, examples: Int, options: TrainingOptions, values: [Float], firstMoment: [Float],
    secondMoment: [Float]
  ) {
    self.step = step
    self.steps = steps
    self.examples = examples
    self.options = options
    self.values = values
    self.firstMoment = firstMoment
    self.secondMoment = secondMoment
  }

  private struct Header: Codable {
    var version = 1
    var step: Int
    var steps: Int
    var examples: Int
    var options: TrainingOptions
    var validations: [ValidationPoint]
  }

  /// Writes `training.safetensors` and `training.json` into `directory`; the JSON comes last and makes it valid.
  public func write(to directory: URL) throws {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    var tensors = [
      TensorSource(name: "values", shape: [values.count], values: values),
      TensorSource(name: "firstMoment", shape: [firstMoment.count], values: firstMoment),
      TensorSource(name: "secondMoment", shape: [secondMoment.count], values: secondMoment),
    ]
    if let bestValues {
      tensors.append(TensorSource(name: "bestValues", shape: [bestValues.count], values: bestValues))
    }
    try SafetensorsWriter.write(
      tensors, to: directory.appendingPathComponent("training.safetensors"), metadata: ["step": String(step)])
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let header = Header(step: step, steps: steps, examples: examples, options: options, validations: validations)
    let text = String(decoding: try encoder.encode(header), as: UTF8.self)
    try AtomicFile.write(text, to: directory.appendingPathComponent("training.json"))
  }

  /// Reads what `write` wrote.
  ///
  /// Throws `ModelFileError` where the two files do not belong together.
  public init(contentsOf directory: URL) throws {
    let url = directory.appendingPathComponent("training.json")
    let header: Header
    do {
      header = try JSONDecoder().decode(Header.self, from: Data(contentsOf: url))
    } catch {
      throw ModelFileError(.malformed, "not a saved training run: \(error.localizedDescription)", file: url.path)
    }
    let file = try SafetensorsFile(directory.appendingPathComponent("training.safetensors"))
    guard header.version == 1 else {
      throw ModelFileError(.unsupported, "version \(header.version) of a saved training run", file: url.path)
    }
    guard file.metadata["step"] == String(header.step) else {
      throw ModelFileError(
        .mismatch,
        "training.json is of step \(header.step), training.safetensors of step "
          + "\(file.metadata["step"] ?? "?"); the run was interrupted while saving", file: url.path)
    }
    func read(_ name: String) throws -> [Float] {
      guard let view = file[name] else {
        throw ModelFileError(.missing, "tensor '\(name)' is missing", file: directory.path)
      }
      return try view.float32Values()
    }
    self.init(
      step: header.step, steps: header.steps, examples: header.examples, options: header.options,
      values: try read("values"), firstMoment: try read("firstMoment"), secondMoment: try read("secondMoment"))
    validations = header.validations
    bestValues = file["bestValues"] == nil ? nil : try read("bestValues")
  }
}

/// A validation loss and the step after which it was measured.
public struct ValidationPoint: Sendable, Hashable, Codable {
  /// The step.
  public var step: Int
  /// Mean over the labelled tokens, in nats.
  public var loss: Double

  /// A measurement after a step.
  public init(step: Int, loss: Double) {
    self.step = step
    self.loss = loss
  }
}
