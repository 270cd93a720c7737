import BayesianOptimization
import Foundation
import Report
import Study

/// `engram suggest`: observations of a file in, lines of JSON out; nothing is stored.
package struct SuggestionRequest {
  /// What is printed, and what is said beside it.
  package struct Answer {
    package var lines: [String] = []
    package var notes: [String]
    /// That fewer configurations came out than were wanted.
    package var shortage: String?

    package init(notes: [String]) { self.notes = notes }
  }

  private struct Proposed: Encodable {
    var configuration: LayerNotation.Written
    var source: String
  }

  private let file: ObservationFile
  private let suggestion: Suggestion
  private let notation: LayerNotation
  private let finished: [Observation]
  private let pending: [Configuration]
  private let seed: UInt64
  private let notes: [String]

  /// - Parameters:
  ///   - observations: path of the file.
  ///   - reference: the reference point that was given.
  ///   - initial: finished observations before the model takes over; nil: as the space file says.
  package init(
    _ problem: SpaceFile, observations path: String, reference: @autoclosure () throws -> [String: Double]?,
    initial: Int?, threads: Int,
    seed: UInt64
  ) throws {
    file = try ObservationFile(path, objectives: problem.objectives)
    (finished, pending) = try Self.sorted(file, space: problem.space)
    self.seed = seed
    notation = LayerNotation(file, space: problem.space)
    var settings = problem.sampler
    settings.threads = threads
    if let initial { settings.initial = initial }
    // A stateless call knows no un-injected base: without a given point the front decides.
    settings.reference =
      try reference().map { .fixed($0) } ?? (settings.reference == .base ? .inferred : settings.reference)
    suggestion = Suggestion(space: problem.space, objectives: problem.objectives, settings: settings)
    var notes = [file.mixedUnits(problem.objectives)]
    if case .fixed(let point) = settings.reference {
      notes.append(
        ReferencePoint.unreachedNote(
          values: finished.filter { $0.outcome == .completed }.map(\.objectives),
          objectives: problem.objectives, reference: point))
    }
    self.notes = notes.compactMap { $0 }
  }

  /// What is odd about the observations, and about a model of them where that is what is asked for.
  package func notes(ofModel: Bool) -> [String] { ofModel ? notes + suggestion.notes(finished) : notes }

  /// The finished observations and the pending configurations, all of them in the space.
  private static func sorted(
    _ file: ObservationFile, space: SearchSpace
  ) throws -> (finished: [Observation], pending: [Configuration]) {
    var finished: [Observation] = []
    var pending: [Configuration] = []
    for line in file.lines {
      guard let configuration = line.value.configuration else {
        throw CommandError(.usage, "\(file.place(line.number)): no configuration. suggest needs one per line")
      }
      do {
        _ = try space.key(configuration)
      } catch let error as SearchSpaceError {
        throw CommandError(.usage, "\(file.place(line.number)): \(error.message)")
      }
      if let observation = line.value.observation {
        finished.append(observation)
      } else {
        pending.append(configuration)
      }
    }
    return (finished, pending)
  }

  /// The next configurations.
  package func proposals(_ count: Int) throws -> Answer {
    let proposals = suggestion.next(observations: finished, pending: pending, count: count, seed: seed)
    var answer = Answer(notes: notes + proposals.flatMap(\.fallbacks))
    answer.lines = try proposals.map {
      try JSON.line(Proposed(configuration: notation.write($0.configuration), source: $0.source))
    }
    if proposals.count < count {
      answer.shortage = "\(proposals.count) of \(count) configurations: every other one is observed or pending"
    }
    return answer
  }

  /// What the model has learnt, per objective.
  package func explanation() throws -> Answer {
    var answer = Answer(notes: notes(ofModel: true))
    let explanations = suggestion.explanation(observations: finished, seed: seed)
    guard !explanations.isEmpty else {
      throw CommandError(
        .usage, "\(file.file.path): fewer than two completed observations. A model needs at least two")
    }
    answer.lines = try explanations.map { try JSON.line($0) }
    return answer
  }

  /// The model's mean and variance at the configurations of a file.
  package func posterior(at path: String) throws -> Answer {
    var answer = Answer(notes: notes(ofModel: true))
    let configurations = try JSONLines.read(Configuration.self, from: path)
    guard !finished.isEmpty else {
      throw CommandError(.usage, "\(file.file.path): no finished observation. A posterior needs at least one")
    }
    do {
      answer.lines = try suggestion.posterior(observations: finished, at: configurations, seed: seed).map {
        try JSON.line($0)
      }
    } catch let error as SearchSpaceError {
      throw CommandError(.usage, "\(path): \(error.message)")
    }
    return answer
  }
}
