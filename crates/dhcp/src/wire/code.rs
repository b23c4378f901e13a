//! The codes of the options that the engine itself reads or writes; dhcproto agrees where it can.
//!
//! It has 106 for RFC 8925's 108, and does not know 90, 138, 145 and 221.

macro_rules! codes {
    ($($name:ident = $code:literal $(, $dhcproto:ident)?;)*) => {
        $(
            #[doc = concat!("Option ", $code, ".")]
            pub const $name: u8 = $code;
        )*

        #[cfg(test)]
        mod tests {
            use dhcproto::v4::OptionCode;

            #[test]
            fn dhcproto_has_the_same_codes() {
                $($(assert_eq!(u8::from(OptionCode::$dhcproto), super::$name);)?)*
            }
        }
    };
}

codes! {
    PAD = 0, Pad;
    SUBNET_MASK = 1, SubnetMask;
    ROUTER = 3, Router;
    DNS = 6, DomainNameServer;
    HOST_NAME = 12, Hostname;
    DOMAIN_NAME = 15, DomainName;
    BROADCAST = 28, BroadcastAddr;
    STATIC_ROUTE = 33, StaticRoutingTable;
    NTP = 42, NtpServers;
    VENDOR_SPECIFIC = 43, VendorExtensions;
    NETBIOS_NAME_SERVER = 44, NetBiosNameServers;
    REQUESTED_ADDRESS = 50, RequestedIpAddress;
    LEASE_TIME = 51, AddressLeaseTime;
    OVERLOAD = 52, OptionOverload;
    MESSAGE_TYPE = 53, MessageType;
    SERVER_ID = 54, ServerIdentifier;
    PARAMETER_REQUEST_LIST = 55, ParameterRequestList;
    MESSAGE = 56, Message;
    MAX_MESSAGE_SIZE = 57, MaxMessageSize;
    RENEWAL_TIME = 58, Renewal;
    REBINDING_TIME = 59, Rebinding;
    CLASS_ID = 60, ClassIdentifier;
    CLIENT_ID = 61, ClientIdentifier;
    TFTP_SERVER_NAME = 66, TFTPServerName;
    BOOT_FILE_NAME = 67, BootfileName;
    USER_CLASS = 77, UserClass;
    RAPID_COMMIT = 80, RapidCommit;
    FQDN = 81, ClientFQDN;
    RELAY_AGENT = 82, RelayAgentInformation;
    AUTHENTICATION = 90;
    CLIENT_LAST_TRANSACTION_TIME = 91, ClientLastTransactionTime;
    ASSOCIATED_IP = 92, AssociatedIp;
    CLIENT_UUID = 97, ClientMachineIdentifier;
    IPV6_ONLY_PREFERRED = 108;
    CAPTIVE_PORTAL = 114, CaptivePortal;
    AUTO_CONFIGURE = 116, DisableSLAAC;
    SUBNET_SELECTION = 118, SubnetSelection;
    CLASSLESS_ROUTE = 121, ClasslessStaticRoute;
    VENDOR_CLASSES = 124;
    VENDOR_IDENTIFYING = 125;
    CAPWAP = 138;
    FORCERENEW_NONCE_CAPABLE = 145;
    STATUS_CODE = 151, BulkLeaseQueryStatusCode;
    BASE_TIME = 152, BulkLeaseQueryBaseTime;
    START_TIME_OF_STATE = 153, BulkLeasQueryStartTimeOfState;
    QUERY_START_TIME = 154, BulkLeaseQueryQueryStartTime;
    QUERY_END_TIME = 155, BulkLeaseQueryQueryEndTime;
    DHCP_STATE = 156, BulkLeaseQueryDhcpState;
    DATA_SOURCE = 157, BulkLeaseQueryDataSource;
    VPN_ID = 221;
    END = 255, End;
}
