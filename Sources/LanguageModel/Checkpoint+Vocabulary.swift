extension Checkpoint {
  /// Why a tokenizer does not fit the model, or nil: it has ids for which the embedding has no row.
  ///
  /// The other way round is harmless: published models often have spare rows.
  public func vocabularyProblem(_ tokenizer: Tokenizer) -> ModelFileError? {
    let rows = configuration.vocabularySize
    guard tokenizer.vocabularySize > rows else { return nil }
    let names = (rows..<tokenizer.vocabularySize).prefix(3).map { id in
      "'\(tokenizer.token(Int32(id)) ?? "?")' (\(id))"
    }
    let more = tokenizer.vocabularySize - rows - names.count
    return ModelFileError(
      .mismatch,
      "tokenizer.json has \(tokenizer.vocabularySize) ids, the model's embedding \(rows) rows: there is no row for "
        + names.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
        + "; resize the embedding (resize_token_embeddings) and save the model, or take the tokens out of tokenizer.json",
      file: directory.path)
  }

  /// Refuses (`mismatch`) a text with a token that the model has no row for; the token is named.
  ///
  /// - Parameter place: the text's place, for the message.
  package func requireKnown(_ ids: [Int32], _ tokenizer: Tokenizer, place: String) throws {
    guard let id = ids.first(where: { Int($0) >= configuration.vocabularySize }) else { return }
    throw ModelFileError(
      .mismatch,
      "\(place): the token '\(tokenizer.token(id) ?? "?")' has id \(id), and the model knows \(configuration.vocabularySize) "
        + "ids: tokenizer.json is larger than the model")
  }
}
