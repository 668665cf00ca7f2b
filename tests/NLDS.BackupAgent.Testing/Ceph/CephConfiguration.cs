namespace NLDS.BackupAgent.Testing.Ceph;

/// <summary>A whole Ceph cluster of one monitor, one disk in memory and one gateway, without authentication between them, for one run of tests.</summary>
internal static class CephConfiguration
{
    private const long DiskBytes = 4L << 30;

    /// <summary>The disk daemon takes the first free ports here; several clusters may run side by side.</summary>
    private const int FirstDiskPort = 26_800;

    private const int LastDiskPort = 27_600;

    /// <remarks>The two report time-outs are long because a paused disk is a test's doing, and the monitor must not declare it dead.</remarks>
    public static string Text(string folder, string cluster, int monitorPort, int gatewayPort) =>
        $"""
        [global]
        fsid = {cluster}
        mon_host = [v2:127.0.0.1:{monitorPort}]
        public_addr = 127.0.0.1
        cluster_addr = 127.0.0.1
        ms_bind_ipv6 = false
        ms_bind_port_min = {FirstDiskPort}
        ms_bind_port_max = {LastDiskPort}
        auth_cluster_required = none
        auth_service_required = none
        auth_client_required = none
        ms_mon_client_mode = crc
        run_dir = {folder}
        admin_socket = {folder}/$name.asok
        log_file = {folder}/$name.log
        log_to_stderr = false
        err_to_stderr = false
        osd_pool_default_size = 1
        osd_pool_default_min_size = 1
        osd_pool_default_pg_num = 1
        osd_pool_default_pgp_num = 1
        osd_crush_chooseleaf_type = 0
        mon_allow_pool_size_one = true
        mon_max_pg_per_osd = 1000
        mon_osd_down_out_interval = 86400
        mon_osd_report_timeout = 86400
        [mon]
        mon_data = {folder}/mon
        mon_initial_members = a
        paxos_propose_interval = 0.05
        paxos_min_wait = 0.01
        mon_data_avail_warn = 1
        mon_data_avail_crit = 0
        [osd]
        osd_data = {folder}/osd
        osd_objectstore = memstore
        memstore_device_bytes = {DiskBytes}
        osd_op_num_shards = 2
        [client.rgw]
        rgw_data = {folder}/rgw
        rgw_frontends = beast endpoint=127.0.0.1:{gatewayPort} tcp_nodelay=1
        rgw_thread_pool_size = 32
        rgw_enable_usage_log = false
        rgw_run_sync_thread = false

        """;
}
