import MemoryRecipe

/// Looks for what is in the records but does not count, or counts twice.
struct DataFindings {
  private(set) var warnings: [String] = []
  private(set) var remarks: [String] = []

  var notes: [DataReport.Note] {
    warnings.map { DataReport.Note(isWarning: true, text: $0) }
      + remarks.map { DataReport.Note(isWarning: false, text: $0) }
  }

  /// What the records alone show.
  init(_ dataset: Dataset, split: DatasetSplit?) {
    people(dataset)
    blanks(dataset)
    times(dataset)
    if let split { pairs(dataset, split) }
    echoes(dataset)
  }

  init(_ data: PreparedData) {
    self.init(data.dataset, split: data.split)
    visible(data)
    measured(data)
    words(data)
    facts(data)
    templates(data)
  }

  // MARK: Who is there

  private mutating func people(_ dataset: Dataset) {
    let owners = Set(dataset.samples.map(\.user))
    let silent = dataset.users.count { !owners.contains($0.id) }
    if silent > 0 {
      remarks.append(
        "\(silent) of \(dataset.users.count) users have no sample: what they wrote is learnt, and "
          + "nothing about them is measured")
    }
  }

  private mutating func blanks(_ dataset: Dataset) {
    let items = dataset.users.flatMap(\.history)
    let blank = items.count { $0.text.allSatisfy(\.isWhitespace) }
    if blank > 0 {
      warnings.append(
        "\(blank) of \(items.count) history items are empty; they teach nothing but their line")
    }
    let questions = dataset.samples.count { $0.query.allSatisfy(\.isWhitespace) }
    if questions > 0 {
      warnings.append("\(questions) of \(dataset.samples.count) samples ask nothing: their query is empty")
    }
  }

  /// What of the histories may be learnt.
  private mutating func visible(_ data: PreparedData) {
    let owners = Set(data.dataset.samples.map(\.user))
    let learnt = Set(data.visible.filter { !$0.history.isEmpty }.map(\.id))
    let asked = owners.filter { !learnt.contains($0) }
    if !asked.isEmpty {
      let samples = data.dataset.samples.count { asked.contains($0.user) }
      warnings.append(
        "\(asked.count) of \(owners.count) users with samples have no history that may be learnt (\(samples) samples): of "
          + "them there is no memory, and their Persona-F1 is that of the profile alone")
    }
    let leftOut = data.dataset.users.count - data.visible.count
    if leftOut > 0 {
      remarks.append(
        "the histories of \(leftOut) users without training samples are left out "
          + "(data.injectTestUserHistory)")
    }
    let shown = Set(data.visible.map(\.id))
    let all = data.dataset.users.filter { shown.contains($0.id) }.reduce(0) { $0 + $1.history.count }
    let hidden = all - data.visible.reduce(0) { $0 + $1.history.count }
    if hidden > 0 {
      remarks.append(
        "\(hidden) of \(all) history items are later than their user's last training sample and stay out of "
          + "the memory (data.split: withinUser)")
    }
  }

  /// Records of one user of which some have a time and others have none cannot be put in order.
  private mutating func times(_ dataset: Dataset) {
    var mixed = 0
    var untimed = 0
    let samples = Dictionary(grouping: dataset.samples, by: \.user)
    for user in dataset.users {
      let own = user.history.map(\.time) + (samples[user.id] ?? []).map(\.time)
      let without = own.count { $0 == nil }
      guard without > 0, without < own.count else { continue }
      mixed += 1
      untimed += without
    }
    if mixed > 0 {
      warnings.append(
        "\(mixed) of \(dataset.users.count) users have records with and without a time: the \(untimed) without one count as the "
          + "oldest")
    }
  }

  // MARK: What is there twice

  private struct Pair: Hashable {
    var query: String
    var context: String
    var response: String

    init(_ sample: Sample) {
      query = HistoryIndex.normalize(sample.query)
      context = HistoryIndex.normalize(sample.context ?? "")
      response = HistoryIndex.normalize(sample.response)
    }
  }

  /// The same question with the same answer in two parts: what is measured was trained.
  private mutating func pairs(_ dataset: Dataset, _ split: DatasetSplit) {
    func all(_ part: SplitPart) -> [Pair] { split[part].map { Pair(dataset.samples[$0]) } }
    let known = Set(all(.train))
    let validation = all(.validation)
    for (name, pairs, before) in [
      ("validation", validation, known), ("test", all(.test), known.union(validation)),
    ] {
      let twice = pairs.count { before.contains($0) }
      if twice > 0 {
        warnings.append(
          "\(twice) of \(pairs.count) \(name) samples have the same query and response as a sample of "
            + (name == "test" ? "train or validation" : "train") + ": they measure copying as well")
      }
    }
  }

  /// Responses that stand word for word in their own user's history; those that leak for certain are refused on reading.
  private mutating func echoes(_ dataset: Dataset) {
    let histories = Dictionary(
      uniqueKeysWithValues: dataset.users.map { ($0.id, $0.history.map { HistoryIndex.normalize($0.text) }) })
    var short = 0
    var inside = 0
    for sample in dataset.samples {
      let response = HistoryIndex.normalize(sample.response)
      let items = histories[sample.user] ?? []
      if items.contains(response) {
        short += 1
      } else if response.split(separator: " ").count >= HistoryIndex.minimumWords,
        items.contains(where: { $0.contains(response) })
      {
        inside += 1
      }
    }
    if short > 0 {
      remarks.append(
        "\(short) of \(dataset.samples.count) responses are also history items of their users (short ones, or to other queries)"
      )
    }
    if inside > 0 {
      warnings.append(
        "\(inside) of \(dataset.samples.count) responses stand inside longer history items of their users: the score may measure copying"
      )
    }
  }

  // MARK: What is measured

  private mutating func measured(_ data: PreparedData) {
    for part in [SplitPart.validation, .test] {
      let all = data.split[part].count
      let used = data.measured(part).count
      if used < all {
        remarks.append("\(used) of \(all) \(part.rawValue) samples are answered (evaluation.samples)")
      }
      if used == 1 {
        warnings.append(
          "there is 1 \(part.rawValue) sample: what one reply shows is chance, and it has no standard error")
      }
    }
    let reserve = min(ExampleBuilder.replyReserve, data.builder.maxLength / 4)
    let wanted = data.recipe.evaluation.maxNewTokens
    let longest = [SplitPart.validation, .test].flatMap { data.measured($0) }.map { data.prompt($0).count }.max() ?? 0
    let room = data.cuts.baseLength - longest
    if room < wanted {
      remarks.append(
        "after the longest prompt (\(longest) tokens) the base takes \(room) more: replies end there, before "
          + "evaluation.maxNewTokens (\(wanted)); prompts leave at least \(reserve)")
    }
    if let limit = data.recipe.training.maxLength, limit > data.cuts.baseLength {
      warnings.append(
        "training.maxLength is \(limit), but the base takes \(data.cuts.baseLength) tokens; those are used")
    }
  }

  /// ROUGE keeps a-z and 0-9 only, as the reference does: nothing of many scripts.
  private mutating func words(_ data: PreparedData) {
    let options = data.recipe.evaluation.rouge
    for part in [SplitPart.validation, .test] {
      let responses = data.measured(part).map(\.response)
      let wordless = responses.count { Rouge.tokens($0, options: options).isEmpty }
      let (kept, all) = responses.reduce((0, 0)) { sum, text in
        let letters = Rouge.letters(text)
        return (sum.0 + letters.kept, sum.1 + letters.all)
      }
      if options.unicode {
        guard wordless > 0 else { continue }
        warnings.append(
          "ROUGE of \(wordless) of \(responses.count) \(part.rawValue) samples is always 0: their responses "
            + "have no letter and no digit")
      } else if wordless > 0 || 2 * kept < all {
        warnings.append(
          "ROUGE counts a-z and 0-9 only, which are \(kept) of the \(all) letters and digits of the \(part.rawValue) "
            + "responses; \(wordless) of \(responses.count) have no word left, so that their rougeL and rouge1 are always "
            + "0. Set evaluation.unicode: true to count the letters of all scripts")
      }
    }
  }

  private mutating func facts(_ data: PreparedData) {
    let recall = FactRecall(users: data.dataset.users)
    for part in [SplitPart.validation, .test] {
      let samples = data.measured(part)
      let asking = samples.count { recall.asks($0) }
      remarks.append(
        asking == 0
          ? "fact recall is not measured on \(part.rawValue): no response there mentions a profile value of its user "
            + "(of at most \(FactRecall.maximumWords) words)"
          : "fact recall: \(asking) of \(samples.count) \(part.rawValue) samples ask for a profile value")
    }
  }

  private mutating func templates(_ data: PreparedData) {
    let templates = data.recipe.templates
    let kinds = Set(data.dataset.users.flatMap(\.history).map(\.kind))
    let unused = templates.kinds.keys.filter { !kinds.contains($0) }.sorted()
    if !unused.isEmpty {
      warnings.append(
        "data.templates: no history item is of the kind \(unused.joined(separator: ", ")); there are: "
          + kinds.sorted().prefix(8).joined(separator: ", "))
    }
    let users = data.visible.count
    let nameless = templates.named.filter { key, text in
      !["separator", "stop", "response"].contains(key) && !Templates.placeholders(text).contains("user")
    }.keys.sorted()
    if users > 1, !nameless.isEmpty {
      warnings.append(
        "data.templates: \(nameless.joined(separator: ", ")) do not say {user}: one memory holds \(users) users, and lines "
          + "without a name cannot be told apart")
    }
  }
}
