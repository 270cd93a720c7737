import LanguageModel
import MemoryRecipe

/// Turns generated ids into the bare reply piece by piece; the pieces together are what `ExampleBuilder.reply` gives.
package struct ReplyStream {
  private let templates: Templates
  private var decoder: StreamingDecoder
  /// Everything decoded so far, and how much of its bare reply was handed out.
  private var generated = ""
  private var shown = ""

  package init(_ builder: ExampleBuilder) {
    templates = builder.templates
    decoder = builder.tokenizer.streamingDecoder(skipSpecialTokens: true)
  }

  /// The text that becomes certain with `id`; often empty.
  ///
  /// - Throws: `ModelFileError` (`mismatch`) for an id outside the vocabulary.
  package mutating func append(_ id: Int32) throws -> String {
    let piece = try decoder.append(id)
    guard !piece.isEmpty else { return "" }
    generated += piece
    // What a template puts in front of the reply may still be taken off.
    if templates.mayStripMore(from: generated) { return "" }
    return advance(to: String(templates.withoutPartialStop(generated)))
  }

  /// The rest.
  package mutating func finish() -> String {
    generated += decoder.finish()
    return advance(to: generated)
  }

  private mutating func advance(to text: String) -> String {
    let bare = templates.bareReply(text)
    // Spaces and the template's end are held back while they are last, so the bare reply only ever grows.
    guard bare.utf8.count > shown.utf8.count, bare.utf8.starts(with: shown.utf8) else { return "" }
    let piece = String(decoding: bare.utf8.dropFirst(shown.utf8.count), as: UTF8.self)
    shown = bare
    return piece
  }
}
