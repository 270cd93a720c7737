/// Scores replies and losses of the samples of one part.
struct ReplyScorer {
  private let dataset: Dataset
  private let samples: [Sample]
  private let rouge: Rouge.Options
  private let recall: FactRecall
  private let personaF1 = PersonaF1()
  /// Words of each user's profile and visible history.
  private let historyWords: [String: Set<String>]

  /// - Parameter visible: users with the history that their samples may be compared with.
  init(dataset: Dataset, visible: [User], samples: [Sample], rouge: Rouge.Options) {
    self.dataset = dataset
    self.samples = samples
    self.rouge = rouge
    recall = FactRecall(users: dataset.users)
    let scorer = PersonaF1()
    let wanted = Set(samples.map(\.user))
    historyWords = Dictionary(
      uniqueKeysWithValues: visible.filter { wanted.contains($0.id) }.map { user in
        (
          user.id,
          scorer.words(ofHistory: user.profile.sorted { $0.key < $1.key }.map(\.value) + user.history.map(\.text))
        )
      })
  }

  /// - Parameters:
  ///   - losses: summed cross-entropy and number of labelled tokens of each sample's response.
  ///   - replies: one per sample.
  func measurement(losses: [(sum: Double, tokens: Int)], replies: [String]) -> ReplyMeasurement {
    let scores = zip(samples, replies).map { Rouge(prediction: $1, reference: $0.response, options: rouge) }
    let persona = zip(samples, replies).map { sample, reply in
      personaF1.score(response: reply, historyWords: historyWords[sample.user] ?? [])
    }
    let facts = zip(samples, replies).compactMap { recall.score(reply: $1, sample: $0) }
    return ReplyMeasurement(
      loss: Estimate(totals: losses.map(\.sum), weights: losses.map { Double($0.tokens) }),
      rouge1: Estimate(scores.map(\.rouge1.f1)), rougeL: Estimate(scores.map(\.rougeL.f1)),
      personaF1: Estimate(persona), factRecall: facts.isEmpty ? nil : Estimate(facts))
  }
}
