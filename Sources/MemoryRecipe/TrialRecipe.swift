import BayesianOptimization

/// Everything about a trial that is the same for all configurations of a study.
///
/// The one definition of these settings: a study's file is decoded into its parts, and training reads them. The parts carry
/// the names of the file's sections, the settings those of its keys. Defaults are the paper's where it states them
/// (learning rate 5e-4, weight decay 1e-4, warm-up 10 %, batch 8). Stored studies hold the parts as JSON; a key whose name
/// there is another one says so in `CodingKeys`.
package struct TrialRecipe: Sendable, Codable, Equatable {
  /// Where the LoRAs of a configuration go; default `perLayer`.
  package var placement: Placement
  package var memory: Memory
  /// Stage 1: memory injection.
  package var training: Training
  /// Stage 2: instruction tuning.
  package var instructionTuning: InstructionTuning
  package var evaluation: Evaluation
  package var templates: Templates

  /// No part has a default here, so that none is forgotten.
  package init(
    placement: Placement, memory: Memory, training: Training, instructionTuning: InstructionTuning,
    evaluation: Evaluation, templates: Templates
  ) {
    self.placement = placement
    self.memory = memory
    self.training = training
    self.instructionTuning = instructionTuning
    self.evaluation = evaluation
    self.templates = templates
  }

  /// The defaults with these templates.
  package init(templates: Templates) {
    self.init(
      placement: .standard, memory: Memory(), training: Training(), instructionTuning: InstructionTuning(),
      evaluation: Evaluation(), templates: templates)
  }
}

extension Placement {
  /// The placement where nothing else is said.
  package static let standard = Placement.perLayer
}

extension TrialRecipe {
  /// How LoRA blocks are shaped.
  package struct Memory: Sendable, Codable, Equatable {
    /// How parallel blocks add up.
    package enum Aggregate: String, Sendable, Codable, CaseIterable {
      /// Their sum.
      case sum
      /// The sum over n.
      case mean
      /// The sum over √n.
      case rsqrt

      /// What the sum of `blocks` parallel blocks is multiplied with.
      package func factor(blocks: Int) -> Double {
        switch self {
        case .sum: 1
        case .mean: 1 / Double(blocks)
        case .rsqrt: 1 / Double(blocks).squareRoot()
        }
      }
    }

    /// LoRA's α, so that the scale is α/r; nil means α = r.
    package var alpha: Double?
    package var aggregate = Aggregate.sum
    /// Feed-forward matrices that carry memory, by role: up, down, gate.
    package var targets = ["up", "down"]

    package init() {}
  }

  /// What is measured.
  package struct Evaluation: Sendable, Equatable {
    /// Longest reply in tokens.
    package var maxNewTokens = 64
    /// At most this many samples of a part are answered, evenly spread; nil means all.
    package var samples: Int?
    /// Replies generated at a time.
    package var batch = 64
    /// Porter-stem words for ROUGE.
    package var stemmer = false
    /// ROUGE keeps letters of all scripts; the reference keeps a-z and 0-9 only.
    package var unicode = false

    package init() {}
  }
}

extension TrialRecipe.Evaluation: Codable {
  private enum CodingKeys: String, CodingKey {
    case maxNewTokens = "maximumNewTokens"
    case samples, batch, stemmer, unicode
  }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    maxNewTokens = try fields.decode(Int.self, forKey: .maxNewTokens)
    samples = try fields.decodeIfPresent(Int.self, forKey: .samples)
    batch = try fields.decode(Int.self, forKey: .batch)
    stemmer = try fields.decode(Bool.self, forKey: .stemmer)
    unicode = try fields.decodeIfPresent(Bool.self, forKey: .unicode) ?? false
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(maxNewTokens, forKey: .maxNewTokens)
    try fields.encodeIfPresent(samples, forKey: .samples)
    try fields.encode(batch, forKey: .batch)
    try fields.encode(stemmer, forKey: .stemmer)
    // Absent unless it is on, so that studies from before this key keep their fingerprint.
    if unicode { try fields.encode(unicode, forKey: .unicode) }
  }
}
