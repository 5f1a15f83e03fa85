package secy_test

import (
	"fmt"

	"mkad/keyderive"
	"mkad/secy"
)

// Two SecYs with one SAK. Orders are obeyed one by one; a Report says what failed, or that a key is in use.
func Example() {
	sak, err := keyderive.NewSAK([]byte("an example's SAK"))
	if err != nil {
		panic(err)
	}
	alice, bob := secy.SCI(0x02000000000a0001), secy.SCI(0x02000000000b0001)
	set := secy.Settings{ProtectFrames: true, ValidateFrames: secy.ValidateStrict, ReplayProtect: true, ReplayWindow: 128,
		CipherSuite: secy.GCMAES128, Offset: secy.Offset0, SendSCI: true}
	key := secy.KeyID{1}

	sender, receiver := secy.New(secy.Config{SCI: alice}), secy.New(secy.Config{SCI: bob})
	for _, op := range []secy.Op{
		{Kind: secy.OpConfigure, Settings: set},
		{Kind: secy.OpCreateTransmitSA, Key: key, SAK: sak, PN: 1},
		{Kind: secy.OpEnableTransmit, Key: key},
		{Kind: secy.OpControlledPort, Enabled: true},
	} {
		fmt.Println(op.Kind, sender.Apply(op, nil))
	}
	for _, op := range []secy.Op{
		{Kind: secy.OpConfigure, Settings: set},
		{Kind: secy.OpCreateReceiveSC, SCI: alice},
		{Kind: secy.OpCreateReceiveSA, SCI: alice, Key: key, SAK: sak, PN: 1},
		{Kind: secy.OpEnableReceive, Key: key},
		{Kind: secy.OpControlledPort, Enabled: true},
	} {
		fmt.Println(op.Kind, receiver.Apply(op, nil))
	}

	frame := []byte("to-bobfrom-a\x08\x00good morning")
	wire, _ := sender.Protect(nil, frame)
	user, ok := receiver.Verify(wire)
	fmt.Println(len(wire)-len(frame), ok, string(user[14:]))
	// Output:
	// Configure []
	// CreateTransmitSA []
	// EnableTransmit [Transmitting key=01000000000000000000000000000000]
	// ControlledPort []
	// Configure []
	// CreateReceiveSC []
	// CreateReceiveSA []
	// EnableReceive [Receiving key=01000000000000000000000000000000]
	// ControlledPort []
	// 32 true good morning
}
