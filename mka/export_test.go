package mka

import "mkad/eapol"

// SetMN makes mn the last Message Number that the first participant has sent.
func (k *KaY) SetMN(mn eapol.MN) { k.participants[0].mn = mn }

// SetKN makes kn the last Key Number that the first participant has used.
func (k *KaY) SetKN(kn eapol.KN) { k.participants[0].kn = kn }

// MaxPeers is the most peers that a participant may keep at any MTU.
const MaxPeers = maxPeers
