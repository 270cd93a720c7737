import Foundation
import MemoryRecipe
import TestSupport
import Testing

@testable import Study

/// What a study's file says about a trial is what training reads.
@Suite("From the file to the recipe", .bounded) struct RecipeTests {
  /// A value other than the default for every key, by section.
  private static let values: [String: [String: String]] = [
    "memory": ["alpha": "3", "aggregate": "rsqrt", "targets": "[down]"],
    "training": [
      "epochs": "2", "finalEpochs": "5", "batch": "3", "learningRate": "1e-3", "weightDecay": "0", "warmup": "0.2",
      "schedule": "cosine", "clip": "0", "maxLength": "33", "window": "1", "labelContext": "true",
    ],
    "instructionTuning": [
      "mode": "freshAdapter", "epochs": "4", "batch": "2", "learningRate": "2e-3", "rank": "7", "alpha": "9",
      "duringSearch": "true",
    ],
    "evaluation": ["maxNewTokens": "5", "samples": "6", "batch": "7", "stemmer": "true", "unicode": "true"],
  ]

  private static func recipe(_ yaml: String) throws -> TrialRecipe {
    try StudyConfiguration(yaml: yaml, file: "x.yaml").recipe(templates: .plain)
  }

  private static func parts(_ recipe: TrialRecipe) -> [String: Any] {
    Dictionary(
      uniqueKeysWithValues: Mirror(reflecting: recipe).children.compactMap { child in
        child.label.map { ($0, child.value) }
      })
  }

  @Test("every setting of the recipe is a key of the file, of the same name, and no other") func names() throws {
    let parts = Self.parts(TrialRecipe(templates: .plain))
    #expect(Set(parts.keys) == Set(Self.values.keys).union(["placement", "templates"]))
    for (section, keys) in Self.values {
      let settings = Mirror(reflecting: try #require(parts[section])).children.compactMap(\.label)
      #expect(Set(settings) == Set(keys.keys), "\(section)")
    }
  }

  @Test("each key changes its setting and nothing else") func keys() throws {
    let plain = try Self.recipe("study: {}")
    #expect(plain == TrialRecipe(templates: .plain))
    #expect(try Self.recipe("space: {placement: onePerLayer}").placement == .onePerLayer)
    for (section, keys) in Self.values {
      for (key, value) in keys {
        let changed = Self.parts(try Self.recipe("\(section): {\(key): \(value)}"))
        for (part, old) in Self.parts(plain) {
          let now = try #require(changed[part])
          let differing = zip(Mirror(reflecting: old).children, Mirror(reflecting: now).children).filter {
            String(reflecting: $0.value) != String(reflecting: $1.value)
          }
          #expect(differing.compactMap(\.0.label) == (part == section ? [key] : []), "\(section).\(key)")
        }
      }
    }
  }

  @Test("the settings' fingerprint covers each of them") func fingerprint() throws {
    func fingerprint(_ yaml: String) throws -> String {
      try StudyConfiguration(yaml: yaml, file: "x.yaml").settingsFingerprint
    }
    var seen: Set = [try fingerprint("study: {}"), try fingerprint("space: {placement: total}")]
    for (section, keys) in Self.values {
      for (key, value) in keys {
        #expect(seen.insert(try fingerprint("\(section): {\(key): \(value)}")).inserted, "\(section).\(key)")
      }
    }
    #expect(seen.count == 2 + Self.values.values.reduce(0) { $0 + $1.count })
  }

  @Test("text and fingerprint are those that earlier versions stored", arguments: ["every-setting", "plain"])
  func stored(_ name: String) throws {
    let file = Fixtures.url("study-files/\(name).yaml")
    let stored = try JSONDecoder().decode(
      StudyDefinition.self, from: Data(contentsOf: Fixtures.url("study-files/\(name).json")))
    let configuration = try StudyConfiguration(canonicalText: stored.configurationText)
    #expect(try configuration.canonicalText == stored.configurationText)
    #expect(configuration.settingsFingerprint == stored.fingerprints["settings"])
    // The search has replaced the reference point by the problem's own.
    var read = try StudyConfiguration(contentsOf: file)
    read.sampler.reference = configuration.sampler.reference
    #expect(try read.differences(from: configuration) == [])
    #expect(read == configuration)
  }
}
