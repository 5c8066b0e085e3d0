package perdure_test

import (
	"testing"

	"github.com/perdure/perdure-go/internal/envelope"
	"github.com/perdure/perdure-go/internal/payload"
)

// The stand-in for the engine costs as much as the worker, so that these figures are a floor.

func BenchmarkStdio1(b *testing.B)  { benchmarkStdio(b, 1) }
func BenchmarkStdio64(b *testing.B) { benchmarkStdio(b, 64) }
func BenchmarkNATS1(b *testing.B)   { benchmarkNATS(b, 1) }
func BenchmarkNATS64(b *testing.B)  { benchmarkNATS(b, 64) }

func benchmarkStdio(b *testing.B, flight int) {
	b.Helper()
	benchmark(b, startStdio(b, payload.MessagePack), flight)
}

func benchmarkNATS(b *testing.B, flight int) {
	b.Helper()
	benchmark(b, startOnNATS(b, startServer(b), payload.MessagePack), flight)
}

// benchmark keeps so many calls in flight.
func benchmark(b *testing.B, e engine, flight int) {
	b.Helper()
	tasks := make([]envelope.Task, b.N)
	for index := range tasks {
		tasks[index] = newTask(b, "echo", "main.go")
	}
	b.ResetTimer()
	for index := range min(flight, b.N) {
		e.submit(b, tasks[index])
	}
	for ended := 0; ended < b.N; {
		if got := next(b, e); got.IsFinal() {
			if ended++; ended+flight <= b.N {
				e.submit(b, tasks[ended+flight-1])
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
