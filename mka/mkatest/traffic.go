package mkatest

import "mkad/secy"

// A Data is one frame of a Controlled Port on its way out.
type Data struct {
	Clear bool // not protected; else by SA, with PN
	SA    SA
	PN    secy.PN
}

// Send takes a frame from the Controlled Port; false: it does not go out. last tells that the SA has no packet number
// left after it.
func (s *SecY) Send() (d Data, last, sent bool) {
	if !s.Enabled {
		return d, false, false
	}
	if !s.Settings.ProtectFrames {
		return Data{Clear: true}, false, true
	}
	sa, ok := s.Transmitting()
	pn := s.PNs[sa.Key]
	if !ok || !sa.On || pn > sa.Suite.MaxPN() || pn == 0 {
		return d, false, false
	}
	s.PNs[sa.Key] = pn + 1 // 0 after the last of an XPN suite
	return Data{SA: sa, PN: pn}, pn == sa.Suite.MaxPN(), true
}

// sendData sends one frame of the Controlled Port, if the member has traffic, and appends what the SecY tells of it.
func (m *Member) sendData(reports []secy.Report) []secy.Report {
	if !m.Traffic {
		return reports
	}
	d, last, sent := m.SecY.Send()
	if sent && m.lan.Data != nil {
		m.lan.Data(m, d)
	}
	if last {
		reports = append(reports, secy.Report{Kind: secy.ReportExhausted, Key: d.SA.Key})
	}
	return reports
}

// samplePNs tells the KaY the packet numbers of its keys, as a driver does before each hello.
func (m *Member) samplePNs() {
	m.keys = m.KaY.Keys(m.keys[:0])
	for _, key := range m.keys {
		if pn := m.SecY.PNs[key]; pn != 0 {
			m.SamplePN(key, pn)
		}
	}
}
