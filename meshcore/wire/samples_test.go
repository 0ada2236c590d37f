package wire

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// kind is one type of message: how it is decoded, and a value with every member
// set, which its golden file shows.
type kind struct {
	empty  func() Message
	sample Message
}

func of[T any, M interface {
	*T
	Message
}](sample M) kind {
	return kind{func() Message { return M(new(T)) }, sample}
}

// noon and what follows it are instants of the samples.
var noon = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)

func after(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

var later = Unknown{Members: jsontext.Value(`{"later_minor":{"of":[1,2,3]}}`)}

var (
	cluster74 = Address{7, 4, 0}
	agentIDs  = []string{"pi-kitchen-1", "pi-kitchen-2"}
	labels    = map[string]string{"region": "eu", "room": "kitchen"}
	publicPi  = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
	bitsOf3   = Bits{0b1011}
	targetsOf = Targets{{Sector: 7, Agents: bitsOf3}}
	payload   = jsontext.Value(`{"text":"good morning"}`)
	enrolled  = Enrolled{
		AgentID: "pi-kitchen-1", Class: ClassLocal, Address: Address{7, 4, 12}, Ordinal: 101, Host: "pi-kitchen",
		Capabilities: []string{"sensor_data"}, Hold: HoldSelf, Labels: labels, Sim: true,
	}
	frozenTwo = FrozenState{Seq: 41001, All: true, Agents: agentIDs}
	refusal   = Errorf(CodeDuplicate, "a host named pi-kitchen with another key is enrolled").WithHint("choose another name with --host")
	broadcast = MeshMessage{
		MessageID: "op-01jq", CorrelationID: "op-01jq", CausationID: "op-01jp", Source: "ada",
		Targets: agentIDs, All: true, Except: []string{"pi-kitchen-3"}, Routing: ToAll,
		CreatedAt: noon, ArriveAt: new(after(250)), TTLMS: 30_000, SentAt: after(3), Priority: 2, Attempt: 1,
		PayloadWeight: 1.5, Requires: []string{"sensor_data"}, Verb: Observe,
		Payload: payload, PayloadHash: HashPayload(payload), Expect: Ready,
	}
	counters = ShardCounters{Beats: 61, BeatsMissed: 1, Foreign: 2, Undecodable: 3, Stale: 4, Worked: 500, WorkedAgain: 5, Dropped: 6}
	conflict = &ConflictDetail{
		Type: "BELIEF", Expected: jsontext.Value(`1`), Received: jsontext.Value(`2`), ContextHash: "9f2c",
		Data: jsontext.Value(`{"k":"v"}`), Depth: 3, AffectsAgents: 12,
	}
	fact = Fact{
		Seq: 41001, ID: "pi-kitchen/7.4/3/17/0", At: noon, Kind: FactCrash, Actor: "host", Address: Address{7, 4, 12},
		AgentID: "pi-kitchen-1", Host: "pi-kitchen", Operation: "op-01jq", Text: "pi-kitchen-1 crashed",
		Data: jsontext.Value(`{"incarnation":4}`), Unknown: later,
	}
	freezeOrder = FreezeOrder{
		Seq: 41001, Thaw: true, Undoes: 40001, Selector: "sector=7,state=active", Resolved: targetsOf, Actor: "ada",
		Reason: "maintenance", At: noon, Preserved: &Preserved{
			Agents: 300, Active: 298, InHand: 4, Queued: 9, Queues: map[Address]int{cluster74: 9}, Operations: []string{"op-01jq"},
		},
	}
	inject = Inject{
		Header: Head(TypeInject), Cluster: cluster74, Agents: agentIDs, Fault: FaultSlow, Factor: 4, SkewMS: -250, ForMS: 5000, Unknown: later,
	}
)

// kinds are all messages that are sent.
var kinds = map[Type]kind{
	TypeJoin: of(&Join{
		Header: Head(TypeJoin), Mesh: "home", Host: "pi-kitchen", Key: publicPi,
		Agents: []AgentSpec{
			{AgentID: "pi-kitchen-1", Count: 1, Class: ClassLocal, Capabilities: []string{"sensor_data"}, Hold: HoldSelf},
			{Count: 8, Class: ClassGPU, Capabilities: []string{"llm_inference"}, Hold: HoldGateway},
		},
		Labels: labels, Sim: true, Sector: 7, Unknown: later,
	}),
	TypeJoined: of(&Joined{
		Header: Head(TypeJoined), Mesh: "home", Host: "pi-kitchen",
		Grants:  []Grant{{Sector: 7, Clusters: []Address{cluster74, {7, 5, 0}}, JWT: "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.e30.c2ln", Expires: noon}},
		Unknown: later,
	}),
	TypePersonJoin: of(&PersonJoin{Header: Head(TypePersonJoin), Mesh: "home", Person: "olga", Key: publicPi, Unknown: later}),
	TypePersonJoined: of(&PersonJoined{
		Header: Head(TypePersonJoined), Mesh: "home", Person: "olga", Role: Observer,
		JWT: "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.e30.c2ln", Expires: noon, Unknown: later,
	}),
	TypeHello: of(&Hello{
		Header: Head(TypeHello), Mesh: "home", Host: "pi-kitchen", Cluster: cluster74, Incarnation: 3,
		Program: "mesh-agentd 0.1.0", SentAt: noon, Unknown: later,
	}),
	TypeWelcome: of(&Welcome{
		Header: Head(TypeWelcome), Cluster: cluster74, Agents: []Enrolled{enrolled}, Frozen: frozenTwo,
		HeartbeatMS: 5000, MaxQueue: 1000, ReceivedAt: after(2), SentAt: after(3), Unknown: later,
	}),
	TypeHeartbeat: of(&Heartbeat{
		Header: Head(TypeHeartbeat), Host: "pi-kitchen", Cluster: cluster74, Incarnation: 3, Seq: 720, SentAt: noon,
		HostRTTMS: 21.5, ClockOffsetMS: -3.25, ClockErrorMS: 10.75, FreezeSeq: 41001,
		Agents: []Beat{{
			AgentID: "pi-kitchen-1", Incarnation: 4, LatencyMS: 12.5, ProcessingMS: 148, QueueDepth: 2, InHand: 1,
			Reliability: 0.998, Drift: 0.12, Worked: 311, Samples: 100, ContextHash: "9f2c",
		}},
		Lost: 1, Unknown: later,
	}),
	TypeHeartbeatAck: of(&HeartbeatAck{
		Header: Head(TypeHeartbeatAck), Seq: 720, T1: noon, T2: after(10), T3: after(11), Frozen: &frozenTwo, Hello: true, Unknown: later,
	}),
	TypeCoordinate: of(&Coordinate{Header: Head(TypeCoordinate), MeshMessage: broadcast, Unknown: later}),
	TypeAck: of(&Ack{
		Header: Head(TypeAck), Host: "pi-kitchen", Cluster: cluster74, Incarnation: 3, SentAt: after(260),
		Items: []AckItem{{
			MessageID: "op-01jq", State: InConflict, Agents: agentIDs[:1], Trinary: Conflict, ArrivedAt: after(14),
			ProcessingMS: 148, Again: true, Code: CodeTaskError, Detail: conflict, Answer: jsontext.Value(`{"answer":42}`),
		}},
		Frozen: &FrozenAck{Seq: 41001, Frozen: 2, InHand: 1, StoppedAt: after(15)}, Unknown: later,
	}),
	TypeFreeze: of(&Freeze{
		Header: Head(TypeFreeze), Scope: ScopeSelector, Target: "sector=7,class=E", Keep: "fact:41001", Cluster: cluster74,
		Frozen: frozenTwo, SentAt: noon, Unknown: later,
	}),
	TypeThaw: of(&Freeze{
		Header: Head(TypeThaw), Scope: ScopeGlobal, Target: "mesh", Keep: "fact:42000", Cluster: cluster74,
		Frozen: FrozenState{Seq: 42000, All: true, Agents: agentIDs[1:]}, SentAt: noon, Unknown: later,
	}),
	TypeInject: of(&inject),
	TypeReport: of(&Report{
		Header: Head(TypeReport), Host: "pi-kitchen", Cluster: cluster74, Incarnation: 3, Seq: 17,
		Items: []ReportItem{{Kind: ReportCrash, AgentID: "pi-kitchen-1", Incarnation: 4, At: noon, Detail: "signal: killed"}}, Unknown: later,
	}),
	TypeReported: of(&Reported{Header: Head(TypeReported), Seq: 17, Unknown: later}),
	TypeError:    of(&Error{Header: Head(TypeError), Code: refusal.Code, Message: refusal.Message, Hint: refusal.Hint, Unknown: later}),
	TypeBlock: of(&Block{
		Header: Head(TypeBlock), Cluster: cluster74, Epoch: 12, Rev: 900, At: noon, Rows: []AgentImpedance{{
			AgentID: "pi-kitchen-1", Class: ClassLocal, Address: Address{7, 4, 12}, Ordinal: 101, Host: "pi-kitchen",
			LatencyMS: 34, ProcessingMS: 148, QueueDepth: 2, InHand: 1, LastHeartbeat: noon,
			ImpedanceMS: 461.5, Score: 505.4, Reliability: 0.998, Drift: 0.61,
			State: Active, Unstable: true, Frozen: true, Sim: true, Incarnation: 4, Worked: 311, ContextHash: "9f2c",
			Capabilities: []string{"sensor_data"}, Hold: HoldSelf, Labels: labels,
		}}, Unknown: later,
	}),
	TypeSectorSummary: of(&SectorSummary{
		Header: Head(TypeSectorSummary), Sector: 7, ClusterCount: 10, TotalAgents: 300, ActiveAgents: 298, MeanMS: 211.5,
		Healthiest: Address{7, 1, 0}, Sickest: cluster74, Clusters: []ClusterSummary{{
			Cluster: cluster74, AgentCount: 30, ActiveCount: 28, DegradedCount: 2, UnstableCount: 1, OfflineCount: 1,
			QuarantCount: 1, FrozenCount: 3, SimCount: 29, QueueDepth: 14, MeanMS: 461.5, P95MS: 902, Measured: 27,
			Slowest: "pi-kitchen-2", Fastest: "pi-kitchen-1", LastUpdated: noon,
		}}, At: noon, Counters: counters, Unknown: later,
	}),
	TypeGlobalStats: of(&GlobalStats{
		Header: Head(TypeGlobalStats), Mesh: "home", Timestamp: noon, TotalAgents: 30_000, ActiveAgents: 29_847, ActiveRate: 0.9949,
		DegradedAgents: 211, UnstableAgents: 40, OfflineAgents: 150, Quarantined: 3, FrozenAgents: 300, MeanMS: 127, P95MS: 840,
		SectorsHealthy: 98, SectorsDegraded: 2, Sectors: 100, Mode: "FULL", Doubt: "30% of all heartbeats are missing",
		Sim: true, Counters: counters, CoreStarted: noon, Unknown: later,
	}),
	TypeFeed:  of(&Feed{Header: Head(TypeFeed), Facts: []Fact{fact}, Unknown: later}),
	TypeFacts: of(&FactBatch{Header: Head(TypeFacts), Facts: []Fact{fact}, Unknown: later}),
	TypeDo: of(&Do{
		Header: Head(TypeDo), ID: "01jq3", Step: StepExecute, Action: jsontext.Value(`{"action":"freeze","target":"sector=7"}`),
		Hash: "5f1e", Typed: 300, Unknown: later,
	}),
	TypePlan: of(&Plan{
		Header: Head(TypePlan), ID: "01jq3", Hash: "5f1e", Expires: after(60_000), Action: jsontext.Value(`{"action":"freeze","target":"sector=7"}`),
		Risk: "disruptive", Wide: true, Count: 300, Clusters: 10, ByClass: map[Class]int{ClassEdge: 100, ClassLocal: 200},
		BySector: map[int]int{7: 300}, Sample: []string{"7.1.1", "7.1.2"}, Excluded: map[string]int{"class F": 20},
		WorkingNow: 4, Queued: 9, Reversible: "mesh30k undo", Text: "freezes 300 agents", Unknown: later,
	}),
	TypeProgress: of(&Progress{
		Header: Head(TypeProgress), ID: "01jq3", Operation: "op-01jq", Done: 120, Total: 300, States: map[string]int{"WORKED": 120, "SENT": 180},
		Text: "120 of 300", Unknown: later,
	}),
	TypeRecords: of(&Records{
		Header: Head(TypeRecords), ID: "01jq3", Rows: []jsontext.Value{jsontext.Value(`{"agent_id":"pi-kitchen-1"}`)},
		Text: "7.4.12  pi-kitchen-1\n", Unknown: later,
	}),
	TypeOutcome: of(&Outcome{
		Header: Head(TypeOutcome), ID: "01jq3", Action: "freeze", Verdict: WasRefused, Exit: 6, Data: jsontext.Value(`{"covered":300}`),
		Text: "refused", Err: refusal, Unknown: later,
	}),
	TypeShardOrder: of(&ShardOrder{
		Header: Head(TypeShardOrder), ID: "o-1", Begin: &ShardHold{Until: after(30_000)}, Freezes: &[]FreezeOrder{freezeOrder},
		Enrol: &[]Enrolled{enrolled}, Freeze: &freezeOrder, Show: true,
		Deliver: &ShardDelivery{
			Operation: "op-01jq", Message: broadcast, Targets: bitsOf3,
			Final: []DeliveryFact{{
				Operation: "op-01jq", Sector: 7, State: Worked, Code: CodeTaskError, Agents: bitsOf3, Again: Bits{1}, Detail: jsontext.Value(`{}`),
			}},
			FrozenMS: map[string]float64{"0": 1500}, Started: noon, Deadline: after(30_000), Resumed: true,
		},
		End: new("op-01jp"), Hold: &ShardHold{Until: after(30_000)},
		Inject: &ShardInject{Inject: inject, Agents: bitsOf3}, Unknown: later,
	}),
	TypeShardReport: of(&ShardReport{
		Header: Head(TypeShardReport), Sector: 7, ID: "o-1", Started: true, Err: refusal,
		Freeze: &FreezeProgress{
			Seq: 41001, Covered: 300, Stopped: 298, Waiting: 1, Silent: 1, Hosts: []string{"pi-attic"}, Released: 9, InHand: 4, StoppedAt: after(80),
			Revs: map[Address]uint64{cluster74: 901},
		},
		Delivery: &DeliveryProgress{
			Operation: "op-01jq", States: map[DeliveryState]Bits{Worked: {1}, Refused: {2}}, Codes: map[Code]Bits{CodeQueueFull: {2}},
			Again: Bits{1}, Settled: true,
		},
		Unknown: later,
	}),
}
