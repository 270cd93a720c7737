import BayesianOptimization
import Foundation
import Personalization

/// A configuration as people write it: `{"layers":[0,1],"count":2,"rank":8}`.
package enum ConfigurationText {
  /// A configuration from JSON; `place` begins the messages.
  package static func parse(
    _ text: String, space: SearchSpace, place: String = "--configuration"
  ) throws -> Configuration {
    do {
      if let problem = JSONLineCheck.problem(in: Data(text.utf8)) {
        throw CommandError(
          .usage,
          "\(place): not valid JSON at column \(problem.column): \(problem.reason). Write {\"layers\":[0,1],\"count\":2,\"rank\":8}"
        )
      }
      let configuration = try JSONDecoder().decode(Configuration.self, from: Data(text.utf8))
      if !configuration.isNull { try space.validate(configuration) }
      return configuration
    } catch let error as SearchSpaceError {
      throw CommandError(.usage, "\(place): \(error.message)")
    } catch let error as DecodingError {
      throw CommandError(
        .usage, "\(place): \(JSONLines.describe(error)). Write {\"layers\":[0,1],\"count\":2,\"rank\":8}")
    }
  }
}
