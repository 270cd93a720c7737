import MemoryRecipe
import TestSupport
import Testing

@testable import Personalization

@Suite(.bounded) struct QuickstartCohortTests {
  @Test(arguments: CohortSettings.Mode.allCases)
  func hasTheSizesOfTheDesign(_ mode: CohortSettings.Mode) throws {
    let cohort = try QuickstartCohort(CohortSettings(seed: 1, mode: mode))
    let data = cohort.dataset
    #expect(data.users.count == 16)
    #expect(data.users.allSatisfy { $0.history.count == (mode == .dialogues ? 36 : 44) })
    let split = try data.split(SplitPolicy(mode: .given))
    #expect(split.train.count == 448 && split.validation.count == 128 && split.test.count == 128)
    #expect(cohort.pretrainingLines.count == 64 * 12 * 9)
  }

  @Test func isAFunctionOfTheSeed() throws {
    let (a, b, c) = (
      try QuickstartCohort(CohortSettings(seed: 1)), try QuickstartCohort(CohortSettings(seed: 1)),
      try QuickstartCohort(CohortSettings(seed: 2))
    )
    #expect(a.dataset.fingerprint == b.dataset.fingerprint && a.pretrainingLines == b.pretrainingLines)
    #expect(a.dataset.fingerprint != c.dataset.fingerprint && a.pretrainingLines != c.pretrainingLines)
  }

  @Test(arguments: 1...5)
  func pretrainingNeverMentionsTheCohort(_ seed: Int) throws {
    let cohort = try QuickstartCohort(CohortSettings(seed: UInt64(seed), users: 60), pretrainingUsers: 84)
    let words = Set(cohort.pretrainingLines.flatMap { $0.split(separator: " ").map(String.init) })
    for user in cohort.dataset.users { #expect(!words.contains(user.id)) }
    // … but both parts of every id are known.
    let parts = Set(cohort.recallSamples.users.map { String($0.id.dropLast(2)) })
    let numbers = Set(cohort.recallSamples.users.map { String($0.id.suffix(2)) })
    for user in cohort.dataset.users {
      #expect(parts.contains(String(user.id.dropLast(2))) && numbers.contains(String(user.id.suffix(2))))
    }
  }

  @Test(arguments: CohortSettings.Mode.allCases)
  func heldFactsAreNeverAskedInTraining(_ mode: CohortSettings.Mode) throws {
    let data = try QuickstartCohort(CohortSettings(seed: 3, mode: mode)).dataset
    let recall = FactRecall(users: data.users)
    for user in data.users {
      let own = data.samples.filter { $0.user == user.id }
      let trained = Set(own.filter { $0.split == .train }.map { recall.mentioned(in: $0.response) })
      let held = own.filter { $0.split != .train }
      #expect(held.count == 16)
      for sample in held {
        let fact = recall.mentioned(in: sample.response)
        #expect(fact.count == 1)
        #expect(!trained.contains(fact))
        #expect(recall.mentioned(in: sample.query).isEmpty)
        // The history knows the fact; the question's words are new.
        #expect(user.history.contains { recall.mentioned(in: $0.text) == fact })
        #expect(!user.history.contains { $0.context == sample.query })
        if mode == .posts { #expect(!user.history.contains { $0.text == sample.response }) }
      }
    }
  }

  @Test func aQueryAloneLeavesManyAnswers() throws {
    let data = try QuickstartCohort(CohortSettings(seed: 4, users: 60)).dataset
    let recall = FactRecall(users: data.users)
    var answers: [String: Set<[String]>] = [:]
    for sample in data.samples { answers[sample.query, default: []].formUnion(recall.mentioned(in: sample.response)) }
    #expect(answers.count == 48)
    #expect(answers.values.allSatisfy { $0.count >= 8 })
  }

  @Test func valuesAreWordsOfTheirOwn() {
    let categories = QuickstartVocabulary.categories
    let values = categories.flatMap(\.values)
    #expect(categories.count == 12 && values.count == 144 && Set(values).count == 144)
    let others =
      categories.flatMap { $0.posts + $0.questions + $0.answers } + QuickstartVocabulary.openers
      + QuickstartVocabulary.closers
    let words = Set(others.flatMap { $0.split(separator: " ").map(String.init) })
    #expect(words.isDisjoint(with: values))
  }

  @Test func refusesMoreThanThereAreIds() {
    #expect(throws: DatasetError.self) { try QuickstartCohort(CohortSettings(seed: 1, users: 61)) }
    #expect(throws: DatasetError.self) { try QuickstartCohort(CohortSettings(seed: 1), pretrainingUsers: 85) }
  }
}
