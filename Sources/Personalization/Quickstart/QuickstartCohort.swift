import MemoryRecipe
import RandomStreams

/// People with planted facts and habits of speech: the quickstart's data, made from a seed.
///
/// Values are drawn uniformly, so that a query alone leaves twelve equally likely answers. Cohort users' ids are
/// combinations of id parts that the pretraining users share among themselves but never combine; no line about a cohort
/// user is in the pretraining text. Four of a user's twelve facts are never asked in his training samples: validation and
/// test ask for nothing else, in words that his history does not use.
package struct QuickstartCohort: Sendable {
  /// Users, histories and samples; every sample carries its `split`.
  package let dataset: Dataset
  /// Lines about other users, for pretraining.
  package let pretrainingLines: [String]
  /// Questions to pretraining users, whose answers a trained base must know.
  package let recallSamples: Dataset

  /// - Parameters:
  ///   - settings: seed of everything, size of the cohort (at most 60), mode.
  ///   - pretrainingUsers: people in the pretraining text, at most 84; default 64.
  /// - Throws: `DatasetError` when the numbers are too large for the ids there are.
  package init(_ settings: CohortSettings, pretrainingUsers: Int = 64) throws {
    let (seed, users, mode) = (settings.seed, settings.users, settings.mode)
    guard users >= 1, users <= 60, pretrainingUsers >= 12, pretrainingUsers <= 84 else {
      throw DatasetError(
        .split, "a cohort has 1 to 60 users and 12 to 84 pretraining users, not \(users) and \(pretrainingUsers)")
    }
    let (others, cohort) = Self.identifiers(seed: seed, pretraining: pretrainingUsers, cohort: users)
    var people: [User] = []
    var samples: [Sample] = []
    for (index, id) in cohort.enumerated() {
      var stream = RandomStream(seed: seed, purpose: "quickstart/cohort", index: UInt64(index))
      let person = Person(id: id, perUserForm: mode == .posts, stream: &stream)
      people.append(person.user(mode: mode, stream: &stream))
      samples += person.samples(stream: &stream)
    }
    dataset = try Dataset(users: people, samples: samples)
    var lines: [String] = []
    var known: [User] = []
    var questions: [Sample] = []
    for (index, id) in others.enumerated() {
      var stream = RandomStream(seed: seed, purpose: "quickstart/pretraining", index: UInt64(index))
      let person = Person(id: id, perUserForm: mode == .posts, stream: &stream)
      lines += person.pretrainingLines()
      known.append(User(id: id, profile: person.profile, history: []))
      let category = stream.integer(below: QuickstartVocabulary.categories.count)
      questions += (0..<4).map { k in
        person.sample((category + 3 * k) % QuickstartVocabulary.categories.count, question: k, split: nil)
      }
    }
    pretrainingLines = lines
    recallSamples = try Dataset(users: known, samples: questions)
  }

  /// Ids of both groups, disjoint; every part of an id occurs among the pretraining users.
  private static func identifiers(seed: UInt64, pretraining: Int, cohort: Int) -> ([String], [String]) {
    var stream = RandomStream(seed: seed, purpose: "quickstart/ids")
    let names = QuickstartVocabulary.names
    let numbers = QuickstartVocabulary.numbers
    // Diagonals of the table of ids hold every name and every number once; whole ones go to pretraining first.
    var order = Array(0..<numbers.count)
    order.shuffle(using: &stream)
    let ids = order.flatMap { shift in
      names.indices.map { names[$0] + numbers[($0 + shift) % numbers.count] }
    }
    var rest = Array(ids[pretraining...])
    rest.shuffle(using: &stream)
    return (Array(ids[..<pretraining]), Array(rest.prefix(cohort)))
  }
}

/// One person of the closed world.
private struct Person {
  let id: String
  let opener: String
  let closer: String
  /// Position of his value in each category.
  let values: [Int]
  /// Which of the three ways he answers with, by category.
  let forms: [Int]
  /// The four categories that validation and test ask for.
  let held: [Int]

  private var categories: [QuickstartVocabulary.Category] { QuickstartVocabulary.categories }

  init(id: String, perUserForm: Bool, stream: inout RandomStream) {
    self.id = id
    opener = QuickstartVocabulary.openers[stream.integer(below: QuickstartVocabulary.openers.count)]
    closer = QuickstartVocabulary.closers[stream.integer(below: QuickstartVocabulary.closers.count)]
    let categories = QuickstartVocabulary.categories
    var values: [Int] = []
    var forms: [Int] = []
    let habit = stream.integer(below: 3)
    for category in categories {
      values.append(stream.integer(below: category.values.count))
      let form = stream.integer(below: category.answers.count)
      forms.append(perUserForm ? habit : form)
    }
    self.values = values
    self.forms = forms
    var order = Array(categories.indices)
    order.shuffle(using: &stream)
    held = Array(order.prefix(4))
  }

  var profile: [String: String] {
    Dictionary(uniqueKeysWithValues: categories.indices.map { (categories[$0].name, value($0)) })
  }

  private func value(_ category: Int) -> String { categories[category].values[values[category]] }

  private func said(_ template: String, _ category: Int) -> String {
    "\(opener) , \(template.replacing("*", with: value(category))) , \(closer)"
  }

  private func answer(_ category: Int) -> String { said(categories[category].answers[forms[category]], category) }

  func post(_ category: Int, _ template: Int) -> HistoryItem {
    HistoryItem(kind: "post", text: said(categories[category].posts[template], category))
  }

  func dialogue(_ category: Int, question: Int) -> HistoryItem {
    HistoryItem(kind: "dialogue", text: answer(category), context: categories[category].questions[question])
  }

  func sample(_ category: Int, question: Int, split: SplitPart?) -> Sample {
    Sample(
      id: "\(id)-\(categories[category].name)-\(question)", user: id, query: categories[category].questions[question],
      response: answer(category), split: split)
  }

  func user(mode: CohortSettings.Mode, stream: inout RandomStream) -> User {
    var items: [HistoryItem] = []
    for category in categories.indices {
      var templates = [0, 1, 2, 3]
      templates.shuffle(using: &stream)
      let postCount = mode == .dialogues ? 2 : 3
      items += templates.prefix(postCount).map { post(category, $0) }
      if mode == .dialogues || !held.contains(category) { items.append(dialogue(category, question: 4)) }
    }
    items.shuffle(using: &stream)
    return User(id: id, profile: profile, history: items)
  }

  /// 28 training samples over seven facts; 8 for validation and 8 for test over the four that are held back.
  func samples(stream: inout RandomStream) -> [Sample] {
    let asked = categories.indices.filter { !held.contains($0) }.prefix(7)
    var samples = asked.flatMap { category in (0..<4).map { sample(category, question: $0, split: .train) } }
    for category in held {
      var questions = [0, 1, 2, 3]
      questions.shuffle(using: &stream)
      for (k, question) in questions.enumerated() {
        samples.append(sample(category, question: question, split: k < 2 ? .validation : .test))
      }
    }
    return samples
  }

  /// Everything this person would ever say: all posts, all questions.
  func pretrainingLines() -> [String] {
    let templates = Templates.quickstart
    return categories.indices.flatMap { category in
      categories[category].posts.indices.map { templates.line(post(category, $0), user: id) }
        + categories[category].questions.indices.map { templates.line(dialogue(category, question: $0), user: id) }
    }
  }
}
