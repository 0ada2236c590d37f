package wire

// FactKinds lists every kind of fact, for completion and for checking what a
// person asks for; a test keeps it complete.
var FactKinds = [...]FactKind{
	FactMeshMade, FactTokenIssued, FactHostJoined, FactPersonAdded,
	FactFreeze, FactThaw, FactFreezeUndone, FactAudit,
	FactCoreStarted, FactCoreStopped,
	FactOpStarted, FactDelivered, FactOpEnded,
	FactCrash, FactReturn, FactSilent, FactHeard, FactHostLeaving,
	FactMode, FactDoubt, FactOverrun, FactRestarted, FactForeignID, FactRejected, FactFaultInjected,
}
