package main

import "testing"

func TestSpread(t *testing.T) {
	tests := map[string]struct {
		secured           []float64
		low, middle, high float64
	}{
		"one":  {[]float64{3}, 3, 3, 3},
		"odd":  {[]float64{9, 1, 2}, 1, 2, 9},
		"even": {[]float64{4, 1, 2, 9}, 1, 3, 9},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var rounds []round
			for _, v := range test.secured {
				rounds = append(rounds, round{plain: 1, secured: v})
			}
			low, middle, high := spread(rounds, round.ratio)
			if low != test.low || middle != test.middle || high != test.high {
				t.Errorf("got %v %v %v", low, middle, high)
			}
		})
	}
}

func TestReceived(t *testing.T) {
	got, err := received(`{"end": {"sum_sent": {"bits_per_second": 4e9}, "sum_received": {"bits_per_second": 2.5e9}}}`)
	if err != nil || got != 2.5 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, report := range []string{"", "{}", `{"error": "unable to connect"}`} {
		if got, err := received(report); err == nil {
			t.Errorf("report %q gives %v", report, got)
		}
	}
}

func TestReadyWhenTheMarkIsWhole(t *testing.T) {
	r := newReady("listening")
	for _, write := range []struct {
		text  string
		ready bool
	}{{"---- Server list", false}, {"ening on 5201\n", true}, {"listening again", true}} {
		if _, err := r.Write([]byte(write.text)); err != nil {
			t.Fatal(err)
		}
		if ready := isClosed(r.ready); ready != write.ready {
			t.Errorf("after %q: ready %t", write.text, ready)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
