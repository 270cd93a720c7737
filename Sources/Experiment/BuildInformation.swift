/// What this program is; goes into studies, greetings between processes and adapters' provenance.
package enum BuildInformation {
  package static let version = "0.1.0"
}
