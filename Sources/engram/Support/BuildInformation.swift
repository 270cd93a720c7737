/// What this program is; goes into studies, greetings between processes and adapters' provenance.
enum BuildInformation {
  static let version = "0.1.0"
}
