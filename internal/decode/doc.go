// Package decode says what captured frames of a wire with MACsec are: MKPDUs set by set, SecTAGs, and with the keys of a CAK
// file which of them are authentic, and what the protected ones hold.
//
//	capture, err := decode.Open(file)
//	decoder := decode.New(keys)                 // of config.LoadKeys; nil: nothing is verified
//	defer decoder.Close()                       // wipes what it has found
//	for packet, err := range capture.Packets() {
//		record, plain := decoder.Decode(packet) // one record a frame
//		fmt.Print(record.Text())
//	}
//	fmt.Print(decoder.Summary().Text())
//
// A capture is read once from the front: a SAK serves the frames behind the MKPDU that distributes it. Nothing here believes a
// frame. MKPDUs change what the decoder knows only if their ICV is right; tables have bounds, and the oldest entry gives way;
// a frame of any octets yields one record. Keys are held as types of keyderive that print as redacted, and no record has a
// field for one.
package decode
