"""What a conformance test asserts, and how it waits for behaviour to settle."""
