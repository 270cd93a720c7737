import LanguageModel

extension MemoryExperiment {
  /// Greedy replies to questions of users, in the words of the recipe's templates.
  ///
  /// - Parameter questions: who is asked what; the user need not be in the dataset.
  /// - Returns: one reply per question.
  package func replies(
    to questions: [(user: String, query: String, context: String?)], adapters: [Adapter]
  ) throws -> [String] {
    let prompts = questions.enumerated().map { index, question in
      let sample = Sample(
        id: "question \(index)", user: question.user, query: question.query, context: question.context, response: "")
      return data.prompt(sample)
    }
    let options = GenerationOptions(
      maximumNewTokens: recipe.evaluation.maxNewTokens, stopIDs: Set(builder.tokenizer.specialIDs.eos.map(Int.init)))
    return try model.generate(prompts, options: options, adapters: adapters).map {
      try builder.reply($0.ids.map(Int32.init))
    }
  }

  /// A greedy reply to one question, told piece by piece.
  ///
  /// - Parameter onText: told the pieces of the reply as soon as they are certain.
  /// - Returns: the whole reply.
  package func reply(
    user: String, query: String, context: String? = nil, adapters: [Adapter], onText: (String) throws -> Void
  ) throws -> String {
    let sample = Sample(id: "question", user: user, query: query, context: context, response: "")
    let prompt = data.prompt(sample)
    let options = GenerationOptions(
      maximumNewTokens: recipe.evaluation.maxNewTokens, stopIDs: Set(builder.tokenizer.specialIDs.eos.map(Int.init)))
    return try withoutActuallyEscaping(onText) { onText in
      var stream = ReplyStream(builder)
      var reply = ""
      func tell(_ piece: String) throws {
        guard !piece.isEmpty else { return }
        reply += piece
        try onText(piece)
      }
      _ = try model.generate([prompt], options: options, adapters: adapters) { _, id in
        try tell(stream.append(Int32(id)))
      }
      try tell(stream.finish())
      return reply
    }
  }
}
