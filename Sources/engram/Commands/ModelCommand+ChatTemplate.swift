import ArgumentParser
import Console
import Experiment
import Foundation
import Jinja
import LanguageModel
import Report

extension ModelCommand {
  struct ChatTemplateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "chat-template",
      abstract: "Conversations on standard input, the model's text and token ids for them out.",
      discussion: """
        One JSON object per line: messages, and optionally tools, documents, add_generation_prompt,
        continue_final_message, variables, and template_name. One line out for each: text and ids, or error.

          $ echo '{"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": true}' |
              engram model chat-template --model Qwen2.5-0.5B-Instruct
          {"text":"<|im_start|>user\\nHi<|im_end|>\\n<|im_start|>assistant\\n","ids":[151644,872,198,13048,…]}
        """)
    @Option(help: "Hugging Face directory with tokenizer.json.") var model: String
    @Option(help: "A file with another template than the model's.") var template: String?
    @Option(help: "The time that templates are told, such as 2025-03-14T15:09:26 (default: now).") var now: String?
    @Argument(help: "File with one conversation per line; - is standard input.") var file: String = "-"

    private struct Answer: Encodable {
      var text: String
      var ids: [Int32]
    }
    private struct Failure: Encodable { var error: String }

    func run() throws {
      let directory = URL(fileURLWithPath: model, isDirectory: true)
      let tokenizer = try Tokenizer(directory: directory)
      var templates =
        if let template {
          ChatTemplates(text: try ChatTemplates.read(URL(fileURLWithPath: template)), tokenizer: tokenizer)
        } else {
          try ChatTemplates(directory: directory, tokenizer: tokenizer)
        }
      let clock = try clock()
      try ByteLines(path: file).answer { line, _, output in
        do {
          let text = try templates.render(ChatRequest(json: line), clock: clock).text
          let ids = tokenizer.encode(text, addSpecialTokens: false)
          output += try JSON.line(Answer(text: text, ids: ids)).utf8
        } catch let error as ChatError {
          output += try JSON.line(Failure(error: error.description)).utf8
        }
        output.append(0x0A)
      }
    }

    private func clock() throws -> Clock {
      guard let now else { return .now }
      guard let clock = Clock(now) else {
        throw CommandError(.usage, "--now '\(now)' is no time. Write it as 2025-03-14T15:09:26")
      }
      return clock
    }
  }
}
