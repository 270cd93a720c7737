import engram

await EngramProgram.main()
