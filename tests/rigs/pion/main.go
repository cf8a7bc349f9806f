// A WHIP server (RFC 9725) on pion, the WebRTC library of the Go media servers: POST /whip, DELETE /session/N.
// It writes the video of each session to FOLDER/N.h264, and GET /stats tells what has arrived.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v3"
)

type session struct {
	Video, Audio, Gaps int
	Connected, Deleted bool
	pc                 *webrtc.PeerConnection
}

var (
	lock     sync.Mutex
	sessions []*session
	listen   = flag.String("listen", "127.0.0.1:8902", "address of the HTTP server")
	folder   = flag.String("folder", ".", "where the video is written")
	lite     = flag.Bool("lite", false, "ICE lite, which makes no connectivity checks")
	passive  = flag.Bool("passive", false, "be the DTLS server (a=setup:passive)")
	few      = flag.Bool("few", false, "only H.264 and Opus, without retransmission, as LiveKit's ingress")
	pli      = flag.Duration("pli", 0, "request a keyframe so often")
)

func api() *webrtc.API {
	media, registry, setting := &webrtc.MediaEngine{}, &interceptor.Registry{}, webrtc.SettingEngine{}
	if *few {
		feedback := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}}
		fmtp := "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
		h264 := webrtc.RTPCodecCapability{MimeType: "video/H264", ClockRate: 90000, SDPFmtpLine: fmtp, RTCPFeedback: feedback}
		opus := webrtc.RTPCodecCapability{MimeType: "audio/opus", ClockRate: 48000, Channels: 2}
		check(media.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: h264, PayloadType: 125}, webrtc.RTPCodecTypeVideo))
		check(media.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: opus, PayloadType: 111}, webrtc.RTPCodecTypeAudio))
	} else {
		check(media.RegisterDefaultCodecs())
	}
	check(webrtc.RegisterDefaultInterceptors(media, registry))
	setting.SetLite(*lite)
	if *passive {
		check(setting.SetAnsweringDTLSRole(webrtc.DTLSRoleServer))
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(registry), webrtc.WithSettingEngine(setting))
}

func publish(w http.ResponseWriter, r *http.Request) {
	offer, err := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	check(err)
	pc, err := api().NewPeerConnection(webrtc.Configuration{})
	check(err)
	lock.Lock()
	number, one := len(sessions), &session{pc: pc}
	sessions = append(sessions, one)
	lock.Unlock()
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		lock.Lock()
		one.Connected = state == webrtc.PeerConnectionStateConnected
		lock.Unlock()
	})
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { receive(number, one, track) })
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: string(offer)}); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := pc.CreateAnswer(nil)
	check(err)
	gathered := webrtc.GatheringCompletePromise(pc)
	check(pc.SetLocalDescription(answer))
	<-gathered
	w.Header().Set("Content-Type", "application/sdp")
	w.Header().Set("Location", fmt.Sprintf("session/%d", number))
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, pc.LocalDescription().SDP)
}

func receive(number int, one *session, track *webrtc.TrackRemote) {
	isVideo := track.Kind() == webrtc.RTPCodecTypeVideo
	var file *os.File
	if isVideo {
		var err error
		file, err = os.Create(fmt.Sprintf("%s/%d.h264", *folder, number))
		check(err)
		defer file.Close()
		if *pli > 0 {
			go request(one.pc, uint32(track.SSRC()))
		}
	}
	splitter, next := &codecs.H264Packet{}, uint16(0)
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		lock.Lock()
		count(one, packet, isVideo, &next)
		lock.Unlock()
		if file != nil {
			if nal, err := splitter.Unmarshal(packet.Payload); err == nil {
				_, _ = file.Write(nal)
			}
		}
	}
}

func count(one *session, packet *rtp.Packet, isVideo bool, next *uint16) {
	if !isVideo {
		one.Audio++
		return
	}
	if one.Video > 0 && packet.SequenceNumber != *next {
		one.Gaps++
	}
	one.Video++
	*next = packet.SequenceNumber + 1
}

func request(pc *webrtc.PeerConnection, ssrc uint32) {
	for range time.Tick(*pli) {
		if pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: ssrc}}) != nil {
			return
		}
	}
}

func remove(w http.ResponseWriter, r *http.Request) {
	var number int
	_, err := fmt.Sscanf(r.URL.Path, "/session/%d", &number)
	lock.Lock()
	defer lock.Unlock()
	if err != nil || number >= len(sessions) {
		http.NotFound(w, r)
		return
	}
	sessions[number].Deleted = true
	go sessions[number].pc.Close()
}

func main() {
	flag.Parse()
	http.HandleFunc("/whip", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			publish(w, r)
		} else {
			w.WriteHeader(http.StatusNoContent)
		}
	})
	http.HandleFunc("/session/", remove)
	http.HandleFunc("/stats", func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		check(json.NewEncoder(w).Encode(sessions))
	})
	log.Fatal(http.ListenAndServe(*listen, nil))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
