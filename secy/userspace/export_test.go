package userspace

// Speed is what ethtool tells of a device in the network namespace of the calling thread: Mbit/s, and whether it is full
// duplex.
func Speed(device string) (mbits uint32, full bool, err error) {
	s, err := newSpeedometer()
	if err != nil {
		return 0, false, err
	}
	defer s.close()
	settings := ethtoolSettings{request: ethtoolGetSettings}
	err = s.ask(device, &settings)
	return uint32(settings.speedHigh)<<16 | uint32(settings.speed), settings.duplex == 1, err
}
