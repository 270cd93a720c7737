import FaultInjection
import engram

// `engram` with injectors of faults, for tests only: it is built with them and never installed.
FaultInjection.install()
await EngramProgram.main()
